// Flush while others send: it returns, and its answer is right. Also with
// envelopes of a server to itself.

#include <atomic>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/envelope_source.h"
#include "tests/harness/seed.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr int kThreads = 4;
constexpr int kRounds = 10;
constexpr int kPerRound = 200;
constexpr absl::Duration kPatience = absl::Seconds(60);

class FlushTest : public testing::TestWithParam<const char*> {
 protected:
  static ClusterSpec Spec() {
    ClusterSpec spec;
    spec.config.transport = GetParam();
    // Small, so that senders meet full queues and windows.
    spec.config.window_bytes = 256u << 10;
    spec.config.queue_bytes_max = 512u << 10;
    spec.ids = FirstIds(3);
    spec.on_envelope = [](int, const EnvelopeView&) {};
    return spec;
  }

  // Server 1 of a cluster of which no server is started.
  static std::unique_ptr<Server> Alone(int servers) {
    Config config;
    config.cluster = absl::StrCat("flush-test-", ++clusters_);
    config.transport = GetParam();
    config.linger = absl::ZeroDuration();
    for (int id = 1; id <= servers; ++id)
      config.servers.push_back({id, "127.0.0.1:0"});
    auto server = NewServer(1, config);
    EXPECT_TRUE(server.ok()) << server.status();
    return *std::move(server);
  }

 private:
  inline static int clusters_ = 0;
};

Envelope To(int pid) {
  Envelope envelope;
  envelope.pid = pid;
  envelope.payload = "x";
  return envelope;
}

std::uint64_t Settled(const ServerStats& stats) {
  std::uint64_t settled = 0;
  for (const PeerStats& peer : stats.peers)
    settled += peer.acknowledged + DroppedSum(peer);
  return settled;
}

TEST_P(FlushTest, SaysThatAllAcceptedBeforeIsSettledWhileOthersSend) {
  const std::uint64_t seed = TestSeed();
  std::cout << "CLUSTER_TEST_SEED=" << seed << "\n";
  TestCluster cluster(Spec());
  ASSERT_TRUE(cluster.Start());
  Server& server = cluster.server(1);
  std::atomic<std::uint64_t> accepted{0};
  const auto run = [&](std::uint64_t part) {
    EnvelopeSource source(PartSeed(seed, part), kRounds * kPerRound, 4u << 20);
    for (int round = 0; round < kRounds; ++round) {
      for (int i = 0; i < kPerRound; ++i) {
        Envelope envelope = source.Next();
        envelope.pid = 2 + static_cast<int>(source.Below(2));
        const absl::Status sent = server.Send(envelope, kPatience);
        ASSERT_TRUE(sent.ok()) << sent;
        ++accepted;
      }
      const std::uint64_t before = accepted;
      const absl::Status flushed = server.Flush(kPatience);
      ASSERT_TRUE(flushed.ok()) << flushed;
      EXPECT_GE(Settled(server.Stats()), before);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t part = 0; part < kThreads; ++part)
    threads.emplace_back(run, part);
  for (std::thread& thread : threads) thread.join();

  ASSERT_TRUE(server.Flush(kPatience).ok());
  EXPECT_EQ(accepted, std::uint64_t{kThreads} * kRounds * kPerRound);
  EXPECT_THAT(BalanceProblems(1, server.Stats()), IsEmpty());
  for (const PeerStats& peer : server.Stats().peers) {
    EXPECT_EQ(peer.accepted, peer.acknowledged + DroppedSum(peer)) << peer;
    EXPECT_EQ(DroppedSum(peer), 0u) << peer;
    EXPECT_EQ(peer.queued, 0u) << peer;
    EXPECT_EQ(peer.in_flight, 0u) << peer;
  }
}

TEST_P(FlushTest, EndsWhileAnotherThreadSendsWithoutAPause) {
  ClusterSpec spec = Spec();
  spec.config = Config();
  spec.config.transport = GetParam();
  TestCluster cluster(std::move(spec));
  ASSERT_TRUE(cluster.Start());
  Server& server = cluster.server(1);
  std::atomic<bool> done{false};
  std::thread sender([&] {
    while (!done) {
      const absl::Status sent = server.Send(To(2), kPatience);
      ASSERT_TRUE(sent.ok()) << sent;
    }
  });
  for (int round = 0; round < 20; ++round) {
    const std::uint64_t before = server.Stats().Peer(2)->accepted;
    const absl::Status flushed =
        round % 2 == 0 ? server.Flush(kPatience) : server.Flush(2, kPatience);
    ASSERT_TRUE(flushed.ok()) << flushed;
    EXPECT_GE(server.Stats().Peer(2)->acknowledged, before);
  }
  done = true;
  sender.join();
}

TEST_P(FlushTest, ADeadPeerDoesNotDelayThatOfAnother) {
  TestCluster cluster(Spec());
  ASSERT_TRUE(cluster.Start());
  cluster.Destroy(3);
  Server& server = cluster.server(1);
  for (int pid : {1, 2, 3}) ASSERT_TRUE(server.Send(To(pid)).ok());
  EXPECT_TRUE(server.Flush(2, kPatience).ok());
  EXPECT_TRUE(server.Flush(1, kPatience).ok());
  const absl::Status all = server.Flush(absl::Milliseconds(10));
  EXPECT_EQ(all.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(all.message()), testing::EndsWith("by: 3"));
  EXPECT_EQ(server.Flush(3, absl::ZeroDuration()).code(),
            absl::StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(server.RemovePeer(3).ok());
  EXPECT_EQ(server.Flush(3, kPatience).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(server.Flush(9, kPatience).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(server.Flush(kBroadcast, kPatience).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(server.Flush(kPatience).ok());
}

TEST_P(FlushTest, WaitsForOwnEnvelopes) {
  constexpr std::uint64_t kOwn = 1000;
  std::unique_ptr<Server> server = Alone(2);
  std::atomic<std::uint64_t> handled{0};
  server->OnEnvelope([&](const EnvelopeView&) { ++handled; });
  ASSERT_TRUE(server->Start().ok());
  for (std::uint64_t i = 0; i < kOwn; ++i)
    ASSERT_TRUE(server->Send(To(1)).ok());
  const absl::Status flushed = server->Flush(kPatience);
  ASSERT_TRUE(flushed.ok()) << flushed;
  EXPECT_EQ(handled, kOwn);
  const ServerStats stats = server->Stats();
  EXPECT_EQ(stats.own.peer, 1);
  EXPECT_EQ(stats.own.accepted, kOwn);
  EXPECT_EQ(stats.own.acknowledged, kOwn);
  EXPECT_EQ(stats.self_sent, kOwn);
  EXPECT_THAT(BalanceProblems(1, stats), IsEmpty());
}

TEST_P(FlushTest, StopCountsTheOwnEnvelopesThatItDrops) {
  constexpr std::uint64_t kOwn = 1000;
  std::unique_ptr<Server> server = Alone(2);
  ASSERT_TRUE(server->Start().ok());
  for (std::uint64_t i = 0; i < kOwn; ++i)
    ASSERT_TRUE(server->Send(To(1)).ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(server->Receive(kPatience).ok());
  const absl::Status behind = server->Flush(1, absl::ZeroDuration());
  EXPECT_EQ(behind.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(behind.message()), testing::EndsWith("by: 1"));
  EXPECT_THAT(BalanceProblems(1, server->Stats()), IsEmpty());
  EXPECT_EQ(server->Stats().own.queued, kOwn - 3);
  std::thread flusher([&] {
    EXPECT_EQ(server->Flush(1, kPatience).code(), absl::StatusCode::kCancelled);
  });
  server->Stop();
  flusher.join();
  EXPECT_EQ(server->Send(To(1)).code(), absl::StatusCode::kCancelled);
  const ServerStats stats = server->Stats();
  EXPECT_EQ(stats.own.acknowledged, 3u);
  EXPECT_EQ(stats.own.Dropped(DropReason::kStopped), kOwn - 3);
  EXPECT_EQ(stats.own.queued, 0u);
  EXPECT_THAT(BalanceProblems(1, stats), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Backends, FlushTest,
                         testing::ValuesIn(AllTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
