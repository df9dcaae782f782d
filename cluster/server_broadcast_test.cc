// Broadcasts that are encoded once for all peers, among everything else that a
// server sends, over the memory transport.

#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/mutex.h"
#include "cluster/server.h"
#include "cluster/testing/test_server.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using Strings = std::vector<std::string>;

// Server 1 sends; the others record, or block in their handlers.
class ServerBroadcastTest : public testing::Test {
 protected:
  // The servers 1 to `running` of the config.
  void StartAll(int running, Config config) {
    config_ = std::move(config);
    for (int id = 1; id <= running; ++id) {
      servers_.push_back(Make(id, config_));
      recorders_.push_back(std::make_unique<Recorder>());
      if (id > 1) {
        servers_.back()->OnEnvelope([this, recorder = recorders_.back().get()](
                                        const EnvelopeView& view) {
          { MutexLock lock(&still_mutex_); }
          recorder->Add(std::string(view.payload));
        });
      }
    }
    for (auto& server : servers_) ASSERT_TRUE(server->Start().ok());
  }
  void TearDown() override {
    for (auto& server : servers_) server->Stop();
  }

  // Broadcasts until a full frame waits for 2 and for 3, with small windows.
  // Returns the number of broadcasts.
  std::uint64_t FillWindows() {
    std::uint64_t sent = 0;
    const auto full = [&] {
      const ServerStats stats = sender().Stats();
      return stats.Peer(2)->up && stats.Peer(3)->up &&
             stats.Peer(2)->queued_bytes > config_.frame_bytes &&
             stats.Peer(3)->queued_bytes > config_.frame_bytes;
    };
    for (; !full(); ++sent) Broadcast(std::string(100, 'x'));
    for (int i = 0; i < 100; ++i) Broadcast("x");
    return sent + 100;
  }
  static Config SmallWindows(int servers) {
    Config config = MakeConfig(servers);
    config.frame_bytes = 4096;
    config.window_bytes = 16 << 10;
    return config;
  }

  void Broadcast(const std::string& payload) {
    ASSERT_TRUE(sender().Send(To(kBroadcast, payload), kLong).ok());
  }

  Server& sender() { return *servers_[0]; }
  Recorder& recorder(int id) {
    return *recorders_[static_cast<std::size_t>(id - 1)];
  }

  Config config_;
  // While a test holds it, no handler returns. Soon acknowledgements stop, and
  // broadcasts gather.
  Mutex still_mutex_{LockRank::kApplication};
  std::vector<std::unique_ptr<Recorder>> recorders_;
  std::vector<std::unique_ptr<Server>> servers_;
};

TEST_F(ServerBroadcastTest, KeepsTheOrderOfWhatOneThreadSends) {
  StartAll(4, MakeConfig(4));
  std::mt19937_64 random(20261128);
  std::vector<Strings> expected(5);
  constexpr int kCount = 30000;
  const auto text = [&](int i) {
    const std::size_t bytes = random() % 500 == 0 ? random() % 300000 : 0;
    return absl::StrCat(i, " ", std::string(bytes, 'x'));
  };
  for (int i = 0; i < kCount; ++i) {
    const std::string payload = i + 1 < kCount ? text(i) : "last";
    const int way = i + 1 < kCount ? static_cast<int>(random() % 100) : 9;
    if (way == 0) {
      const int pid = 2 + static_cast<int>(random() % 3);
      ASSERT_TRUE(sender().Send(To(pid, payload), kLong).ok());
      expected[static_cast<std::size_t>(pid)].push_back(payload);
    } else if (way == 1) {
      ASSERT_TRUE(sender().Multicast({2, 4}, To(0, payload), kLong).ok());
      for (std::size_t pid : {2u, 4u}) expected[pid].push_back(payload);
    } else {
      ASSERT_TRUE(sender().Send(To(kBroadcast, payload), kLong).ok());
      for (std::size_t pid : {2u, 3u, 4u}) expected[pid].push_back(payload);
    }
  }
  for (int id = 2; id <= 4; ++id) {
    EXPECT_TRUE(recorder(id).WaitFor("last") ==
                expected[static_cast<std::size_t>(id)])
        << "at server " << id;  // Too long to print.
  }
}

// The last envelopes of a burst leave when the earlier ones are acknowledged.
TEST_F(ServerBroadcastTest, NoneWaitsForAnother) {
  StartAll(3, MakeConfig(3));
  std::mt19937_64 random(7);
  for (int round = 0; round < 500; ++round) {
    const int count = 1 + static_cast<int>(random() % 300);
    for (int i = 0; i < count; ++i) {
      const bool last = i + 1 == count;
      ASSERT_TRUE(
          sender()
              .Send(To(kBroadcast, last ? absl::StrCat(round) : "x"), kLong)
              .ok());
    }
    for (int id : {2, 3}) {
      ASSERT_EQ(recorder(id).WaitFor(absl::StrCat(round)).back(),
                absl::StrCat(round));
      recorder(id).Clear();
    }
  }
}

TEST_F(ServerBroadcastTest, EachIsInTheAccountsAtOnce) {
  StartAll(3, SmallWindows(3));
  {
    const MutexLock still(&still_mutex_);
    std::uint64_t sent = FillWindows();
    for (int i = 0; i < 100; ++i, ++sent) Broadcast("x");
    const ServerStats stats = sender().Stats();
    for (int id : {2, 3}) EXPECT_EQ(stats.Peer(id)->accepted, sent);
    for (int i = 0; i < 100; ++i) Broadcast("x");
    EXPECT_EQ(sender().Flush(absl::ZeroDuration()).code(),
              absl::StatusCode::kDeadlineExceeded);
  }
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 40; ++i) Broadcast("x");
    ASSERT_TRUE(sender().Flush(kLong).ok());
    const ServerStats stats = sender().Stats();
    ASSERT_EQ(stats.Peer(3)->acknowledged, stats.Peer(3)->accepted);
  }
}

TEST_F(ServerBroadcastTest, ANewMemberGetsThoseSinceItWasAdded) {
  StartAll(4, SmallWindows(4));
  ASSERT_TRUE(sender().RemovePeer(4).ok());
  {
    const MutexLock still(&still_mutex_);
    FillWindows();
    for (int i = 0; i < 100; ++i) Broadcast("before");
    ASSERT_TRUE(sender().AddPeer(4, "m4").ok());
    for (int i = 0; i < 100; ++i) Broadcast("since");
  }
  Broadcast("last");
  Strings expected(100, "since");
  expected.emplace_back("last");
  EXPECT_EQ(recorder(4).WaitFor("last"), expected);
}

TEST_F(ServerBroadcastTest, AFormerMemberIsChargedForThoseUntilItWasRemoved) {
  StartAll(3, SmallWindows(3));
  const MutexLock still(&still_mutex_);
  std::uint64_t sent = FillWindows();
  for (int i = 0; i < 100; ++i, ++sent) Broadcast("before");
  ASSERT_TRUE(sender().RemovePeer(3).ok());
  for (int i = 0; i < 100; ++i) Broadcast("since");
  const ServerStats stats = sender().Stats();
  EXPECT_EQ(stats.Peer(3)->accepted, sent);
  EXPECT_EQ(stats.Peer(2)->accepted, sent + 100);
}

TEST_F(ServerBroadcastTest, OfSeveralThreadsEachOnesOrderIsKept) {
  StartAll(3, MakeConfig(3));
  constexpr int kThreads = 3;
  constexpr int kCount = 5000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCount; ++i) {
        const int pid = i % 1000 == 999 ? 2 : kBroadcast;
        ASSERT_TRUE(
            sender().Send(To(pid, absl::StrCat(t, ":", i)), kLong).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(sender().Flush(kLong).ok());
  ASSERT_TRUE(sender().Send(To(kBroadcast, "last"), kLong).ok());
  const Strings all = recorder(2).WaitFor("last");
  ASSERT_EQ(all.size(), static_cast<std::size_t>(kThreads * kCount + 1));
  std::vector<int> next(kThreads, 0);
  for (const std::string& text : all) {
    if (text == "last") break;
    int& expected = next[static_cast<std::size_t>(text[0] - '0')];
    ASSERT_EQ(text.substr(2), absl::StrCat(expected++));
  }
}

TEST_F(ServerBroadcastTest, AFullQueueBehavesAsWithEachPeerAlone) {
  Config config = MakeConfig(3);
  config.queue_bytes_max = 256 << 10;
  StartAll(2, std::move(config));  // server 3 is down
  int accepted = 0;
  absl::Status status;
  while (status.ok()) {
    status = sender().Send(To(kBroadcast, std::string(1000, 'x')),
                           absl::ZeroDuration());
    const ServerStats stats = sender().Stats();
    ASSERT_LE(stats.Peer(3)->queued_bytes, config_.queue_bytes_max);
    if (status.ok()) ++accepted;
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_GT(accepted, 200);
  const ServerStats stats = sender().Stats();
  EXPECT_EQ(stats.Peer(3)->accepted, static_cast<std::uint64_t>(accepted));
}

TEST_F(ServerBroadcastTest, StopCountsThoseThatNobodyGot) {
  Config config = SmallWindows(3);
  config.linger = absl::ZeroDuration();
  StartAll(3, std::move(config));
  const MutexLock still(&still_mutex_);
  std::uint64_t sent = FillWindows();
  for (int i = 0; i < 100; ++i, ++sent) Broadcast("x");
  sender().Stop();
  const ServerStats stats = sender().Stats();
  for (const PeerStats& peer : stats.peers) {
    EXPECT_EQ(peer.accepted, sent);
    std::uint64_t ended = peer.acknowledged;
    for (std::uint64_t count : peer.dropped) ended += count;
    EXPECT_EQ(peer.accepted, ended);
  }
}

}  // namespace
}  // namespace cluster::internal
