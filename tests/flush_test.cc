// Flush while several threads send: what it says when it answers.

#include <atomic>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/envelope_source.h"
#include "tests/harness/seed.h"
#include "tests/harness/test_cluster.h"

namespace cluster {
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
};

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

INSTANTIATE_TEST_SUITE_P(Backends, FlushTest,
                         testing::Values("zmq", "nng", "memory"),
                         [](const testing::TestParamInfo<const char*>& info) {
                           return std::string(info.param);
                         });

}  // namespace
}  // namespace cluster
