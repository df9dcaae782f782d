// Slow networks, and a Stop while no byte reaches the peer.

#include <iostream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/chaos/chaos_cluster.h"
#include "tests/harness/accounts.h"
#include "tests/harness/seed.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

class SlowNetworkTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { std::cout << "CLUSTER_TEST_SEED=" << seed_ << "\n"; }

  const std::uint64_t seed_ = TestSeed();
};

TEST_P(SlowNetworkTest, DelayLosesNothing) {
  Config config = BackendConfig(GetParam());
  ChaosCluster cluster(config, 3);
  ASSERT_TRUE(cluster.Start());
  NetworkConditions far;
  far.delay = absl::Milliseconds(30);
  cluster.mesh().SetAll(far);
  cluster.Exchange(2000, seed_);
  cluster.ExpectAllOnce();
  EXPECT_GT(cluster.Stats(1, 2).rtt, far.delay);
}

TEST_P(SlowNetworkTest, ASlowPeerDoesNotSlowAnother) {
  constexpr int kToEach = 5000;
  Config config = BackendConfig(GetParam());
  ChaosCluster cluster(config, 3);
  ASSERT_TRUE(cluster.Start());
  NetworkConditions thin;
  thin.bytes_per_second = 1000;
  cluster.proxy(1, 2).Set(thin);
  // At that pace, 2 would have its share only after a few minutes.
  for (int i = 0; i < kToEach; ++i) {
    cluster.SendOne(1, 2);
    cluster.SendOne(1, 3);
  }
  const absl::Status flushed_to_2 =
      cluster.cluster().server(1).Flush(absl::ZeroDuration());
  EXPECT_TRUE(absl::IsDeadlineExceeded(flushed_to_2)) << flushed_to_2;
  EXPECT_TRUE(cluster.ledger().WaitForArrivals(kToEach));
  while (cluster.Stats(3, 1).received < kToEach &&
         cluster.ledger().WaitForArrivals(cluster.ledger().arrived() + 1)) {
  }
  EXPECT_EQ(cluster.Stats(3, 1).received, static_cast<unsigned>(kToEach));
  EXPECT_GT(cluster.Stats(1, 2).queued + cluster.Stats(1, 2).in_flight, 0u);
  cluster.mesh().SetAll({});
  cluster.ExpectAllOnce();
}

// The test's own time limit is the bound.
TEST_P(SlowNetworkTest, StopReturnsThoughNothingReachesThePeer) {
  NetworkConditions stall;
  stall.stalled = true;
  NetworkConditions hole;
  hole.swallows = {true, true};
  for (const NetworkConditions& conditions : {stall, hole}) {
    Config config = ChaosConfig(GetParam());
    config.linger = absl::Milliseconds(100);
    config.queue_bytes_max = 64u << 20;
    ChaosCluster cluster(config, 2);
    ASSERT_TRUE(cluster.Start());
    cluster.mesh().SetAll(conditions);
    // More than the transport and the network hold together.
    Load load = SmallLoad(1000, seed_);
    load.large_payload_bytes = 20u << 20;
    load.large_payloads = 1;
    cluster.Exchange(load);
    cluster.cluster().StopAll();
    for (int id : cluster.cluster().ids()) {
      const ServerStats stats = cluster.cluster().Stats(id);
      EXPECT_THAT(BalanceProblems(id, stats), IsEmpty());
      EXPECT_GT(stats.peers[0].Dropped(DropReason::kStopped), 0u);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, SlowNetworkTest,
                         testing::ValuesIn(Backends()),
                         [](const testing::TestParamInfo<const char*>& info) {
                           return std::string(info.param);
                         });

}  // namespace
}  // namespace cluster::internal
