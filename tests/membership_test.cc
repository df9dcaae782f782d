// AddPeer and RemovePeer: which members a server takes, over each backend.

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/process_resources.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;

class MembershipTest : public testing::TestWithParam<const char*> {
 protected:
  // Server 1 listens at any free port; server 2 does not run.
  static Config TwoServers() {
    static int clusters = 0;
    Config config;
    config.cluster = absl::StrCat("membership-test-", ++clusters);
    config.transport = GetParam();
    config.linger = absl::ZeroDuration();
    config.servers = {{1, "127.0.0.1:0"}, {2, "127.0.0.1:9"}};
    return config;
  }
  static std::unique_ptr<Server> Make(const Config& config) {
    absl::StatusOr<std::unique_ptr<Server>> server = NewServer(1, config);
    EXPECT_TRUE(server.ok()) << server.status();
    return *std::move(server);
  }
};

void ExpectRefused(Server* server, int id, const std::string& address,
                   const std::string& text) {
  const absl::Status status = server->AddPeer(id, address);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

TEST_P(MembershipTest, EveryAddressIsOneServers) {
  Config config = TwoServers();
  config.servers.push_back({4, "127.0.0.1:0"});  // not known yet
  std::unique_ptr<Server> server = Make(config);
  for (const bool started : {false, true}) {
    if (started) {
      ASSERT_TRUE(server->Start().ok());
      ExpectRefused(server.get(), 3, server->Address(),
                    "where this server listens");
      ExpectRefused(server.get(), 4, server->Address(),
                    "where this server listens");
    }
    ExpectRefused(server.get(), 3, "127.0.0.1:9", "the address of server 2");
    ExpectRefused(server.get(), 4, "127.0.0.1:9", "the address of server 2");
    ExpectRefused(server.get(), 3, "", "0 bytes");
    ExpectRefused(server.get(), 3, std::string(513, 'x'), "513 bytes");
  }
  EXPECT_EQ(server->Peers(), (std::vector<int>{2, 4}));
  ASSERT_TRUE(server->AddPeer(3, "127.0.0.1:10").ok());
  ExpectRefused(server.get(), 5, "127.0.0.1:10", "the address of server 3");
  ASSERT_TRUE(server->RemovePeer(3).ok());
  EXPECT_TRUE(server->AddPeer(5, "127.0.0.1:10").ok());
}

TEST_P(MembershipTest, TheConfiguredAddressIsTaken) {
  Config config = TwoServers();
  config.servers[0].address = "127.0.0.1:11";
  std::unique_ptr<Server> server = Make(config);
  ExpectRefused(server.get(), 3, "127.0.0.1:11", "the address of server 1");
}

// The bytes that malloc has given out; 0 under a sanitizer, which has its own
// allocator.
std::size_t LiveBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// The same, once it falls no further: the transport frees memory later than
// RemovePeer returns.
std::size_t SettledLiveBytes() {
  constexpr int kStable = 50;
  std::size_t least = LiveBytes();
  for (int same = 0; same < kStable; ++same) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const std::size_t live = LiveBytes();
    if (live < least) same = 0;
    least = std::min(least, live);
  }
  return least;
}

// Waits until at most `most` bytes are live; false after a minute.
bool WaitForLiveBytes(std::size_t most) {
  for (int i = 0; i < 6000 && LiveBytes() > most; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return LiveBytes() <= most;
}

TEST_P(MembershipTest, PeersThatComeAndGoForEverTakeNoMemoryWithThem) {
  constexpr int kFirst = 2000;
  constexpr int kAll = 20000;
  std::unique_ptr<Server> server = Make(TwoServers());
  ASSERT_TRUE(server->Start().ok());
  ProcessResources most = CountResources();
  most.descriptors += 100;
  most.threads += 100;
  Envelope envelope;
  const auto come_and_go = [&](int id) {
    const absl::Status added = server->AddPeer(id, "127.0.0.1:10");
    ASSERT_TRUE(added.ok()) << added;
    envelope.pid = id;
    ASSERT_TRUE(server->Send(envelope).ok());
    ASSERT_TRUE(server->RemovePeer(id).ok());
    // A transport closes its sockets after the call, perhaps more slowly than
    // this loop adds peers.
    if (id % 50 != 0) return;
    ASSERT_TRUE(WaitForResources(most)) << CountResources();
  };
  for (int id = 10; id < 10 + kFirst && !HasFailure(); ++id) come_and_go(id);
  const std::size_t early = SettledLiveBytes();
  for (int id = 10 + kFirst; id < 10 + kAll && !HasFailure(); ++id)
    come_and_go(id);
  EXPECT_TRUE(WaitForLiveBytes(early + (256u << 10)))
      << early << " bytes after " << kFirst << " peers, " << LiveBytes()
      << " after " << kAll;

  // The statistics name the last ones, and sum up the others.
  const ServerStats stats = server->Stats();
  EXPECT_THAT(BalanceProblems(1, stats), testing::IsEmpty());
  EXPECT_EQ(stats.peers.size(), 1 + ServerStats::kRemovedKept);
  EXPECT_EQ(stats.Peer(10), nullptr);
  EXPECT_EQ(stats.Peer(9 + kAll)->accepted, 1u);
  EXPECT_EQ(stats.Peer(9 + kAll)->Dropped(DropReason::kRemoved), 1u);
  EXPECT_EQ(stats.removed_earlier.accepted, kAll - ServerStats::kRemovedKept);
  EXPECT_EQ(stats.removed_earlier.Dropped(DropReason::kRemoved),
            kAll - ServerStats::kRemovedKept);
}

TEST_P(MembershipTest, WhoComesBackHasTheFiguresOfBefore) {
  std::unique_ptr<Server> server = Make(TwoServers());
  ASSERT_TRUE(server->Start().ok());
  const auto come_and_go = [&](int id) {
    ASSERT_TRUE(server->AddPeer(id, "127.0.0.1:10").ok());
    Envelope envelope;
    envelope.pid = id;
    ASSERT_TRUE(server->Send(envelope).ok());
    ASSERT_TRUE(server->RemovePeer(id).ok());
  };
  come_and_go(3);
  come_and_go(4);
  EXPECT_EQ(server->Stats().Peer(3)->accepted, 1u);
  come_and_go(3);
  EXPECT_EQ(server->Stats().Peer(3)->accepted, 2u);
  EXPECT_EQ(server->Stats().Peer(4)->accepted, 1u);
  for (int id = 100; id < 100 + static_cast<int>(ServerStats::kRemovedKept) - 1;
       ++id) {
    come_and_go(id);
  }
  ASSERT_NE(server->Stats().Peer(3), nullptr);
  EXPECT_EQ(server->Stats().Peer(4), nullptr);
  EXPECT_EQ(server->Stats().removed_earlier.accepted, 1u);
  come_and_go(200);
  EXPECT_EQ(server->Stats().Peer(3), nullptr);
  EXPECT_EQ(server->Stats().removed_earlier.accepted, 3u);
}

// A thread may find a peer, and send to it only when the object already serves
// another member.
TEST_P(MembershipTest, NobodyGetsWhatWasForAnother) {
  std::unique_ptr<Server> server = Make(TwoServers());
  ASSERT_TRUE(server->Start().ok());
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> accepted{0};
  std::thread sender([&] {
    Envelope envelope;
    envelope.pid = 3;
    while (!done) {
      if (server->Send(envelope).ok()) ++accepted;
    }
  });
  std::uint64_t to_other = 0;
  for (int round = 0; round < 300; ++round) {
    ASSERT_TRUE(server->AddPeer(3, "127.0.0.1:10").ok());
    std::this_thread::yield();
    ASSERT_TRUE(server->RemovePeer(3).ok());
    ASSERT_TRUE(server->AddPeer(4, "127.0.0.1:11").ok());
    std::this_thread::yield();
    to_other = server->Stats().Peer(4)->accepted;
    ASSERT_TRUE(server->RemovePeer(4).ok());
    ASSERT_EQ(to_other, 0u) << "in round " << round;
  }
  done = true;
  sender.join();
  EXPECT_EQ(server->Stats().Peer(3)->accepted, accepted);
  EXPECT_THAT(BalanceProblems(1, server->Stats()), testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Backends, MembershipTest,
                         testing::ValuesIn(AllTransports()), TransportName);

// Two spellings of an address are one address.
TEST(MembershipAddressTest, OtherSpellingsAreTheSameAddress) {
  Config config;
  config.servers = {{1, "127.0.0.1:0"}, {2, "[::1]:9"}};
  auto server = NewServer(1, config);
  ASSERT_TRUE(server.ok()) << server.status();
  ExpectRefused(server->get(), 3, "[::1]:09", "the address of server 2");
}

}  // namespace
}  // namespace cluster::internal
