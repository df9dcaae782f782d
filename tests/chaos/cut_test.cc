// Connections that are cut by RST and by FIN, amid traffic and after each of
// their first bytes.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/chaos/chaos_cluster.h"
#include "tests/harness/seed.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr std::uint64_t kEnvelopes = CUT_ENVELOPES;
constexpr std::uint64_t kCutsMin = CUT_TIMES_MIN;
constexpr absl::Duration kIntervalLeast =
    absl::Milliseconds(CUT_INTERVAL_LEAST_MS);
constexpr absl::Duration kIntervalMost =
    absl::Milliseconds(CUT_INTERVAL_MOST_MS);

// So slow that bytes are on their way at every cut.
constexpr std::uint64_t kBytesPerSecond = 6000000;
constexpr std::uint64_t kBytesPerSecondUnbatched = 1000000;

constexpr std::uint64_t kOffsets = 2000;
constexpr std::uint64_t kOffsetStride = CUT_OFFSET_STRIDE;
// The least number of offsets on the way back, which may be short.
constexpr std::uint64_t kOffsetsBack = 20;
// Most of a cluster's time is a wait for the next dial, so several run at once.
constexpr int kClustersAtATime = 8;

NetworkConditions Paced(std::uint64_t bytes_per_second) {
  NetworkConditions conditions;
  conditions.bytes_per_second = bytes_per_second;
  return conditions;
}

class CutTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { std::cout << "CLUSTER_TEST_SEED=" << seed_ << "\n"; }

  // Checks the cluster, and prints its figures.
  void ExpectAllOnce(ChaosCluster* cluster) {
    EXPECT_TRUE(cluster->ledger().WaitUntilAllArrived());
    cluster->mesh().CutNoMore();
    cluster->ExpectAllOnce();
    std::uint64_t again = 0;
    for (int id : cluster->cluster().ids()) {
      for (const PeerStats& peer : cluster->cluster().Stats(id).peers)
        again += peer.frames_retransmitted;
    }
    const std::chrono::duration<double> seconds =
        std::chrono::steady_clock::now() - start_;
    std::cout << GetParam() << ": " << cluster->ledger().arrived()
              << " envelopes, " << cluster->mesh().Cuts()
              << " connections cut, " << again << " frames sent again, "
              << seconds.count() << " s\n";
  }

  const std::uint64_t seed_ = TestSeed();
  const std::chrono::steady_clock::time_point start_ =
      std::chrono::steady_clock::now();
};

TEST_P(CutTest, AllArrivesOnceWhateverIsCut) {
  ChaosCluster cluster(ChaosConfig(GetParam()), 2);
  ASSERT_TRUE(cluster.Start());
  cluster.mesh().SetAll(Paced(kBytesPerSecond));
  cluster.mesh().CutEvery(kIntervalLeast, kIntervalMost, seed_);
  Load load = SmallLoad(kEnvelopes, seed_);
  load.large_payload_bytes = 300000;
  load.large_payloads = 4;
  cluster.Exchange(load);
  for (std::uint64_t round = 1; cluster.mesh().Cuts() < kCutsMin; ++round)
    cluster.Exchange(1000, PartSeed(seed_, round));
  ExpectAllOnce(&cluster);
}

// The bytes of a broadcast are in several queues at once.
TEST_P(CutTest, BroadcastsArriveOnceWhateverIsCut) {
  ChaosCluster cluster(ChaosConfig(GetParam()), 3);
  ASSERT_TRUE(cluster.Start());
  cluster.mesh().SetAll(Paced(kBytesPerSecond));
  cluster.mesh().CutEvery(kIntervalLeast, kIntervalMost, seed_);
  cluster.Broadcast(1, kEnvelopes);
  while (cluster.mesh().Cuts() < kCutsMin) cluster.Broadcast(1, 1000);
  ExpectAllOnce(&cluster);
}

// Shows that the cuts lose envelopes when sessions do not protect them.
TEST_P(CutTest, BestEffortLosesSomeUnderTheSameCuts) {
  constexpr int kRoundsMax = 100;
  Config config = BackendConfig(GetParam());
  config.delivery = Delivery::kBestEffort;
  ChaosCluster cluster(config, 2);
  ASSERT_TRUE(cluster.StartOnly());
  cluster.mesh().SetAll(Paced(kBytesPerSecondUnbatched));
  cluster.mesh().CutEvery(kIntervalLeast, kIntervalMost, seed_);
  int round = 0;
  while (round < kRoundsMax && cluster.ledger().lost() == 0)
    cluster.Exchange(2000, PartSeed(seed_, round++));
  EXPECT_GT(cluster.ledger().lost(), 0u);
  EXPECT_THAT(cluster.ledger().Problems(), IsEmpty());
  std::cout << GetParam() << ": lost " << cluster.ledger().lost() << " of "
            << cluster.ledger().sent() << " with " << cluster.mesh().Cuts()
            << " connections cut\n";
}

// Runs a new cluster, in which two connections of each direction end after
// exactly `offset` bytes.
void CutAtOffset(const std::string& transport, Way way, std::uint64_t offset,
                 std::uint64_t seed) {
  SCOPED_TRACE(absl::StrCat(way == Way::kForward ? "forward" : "backward",
                            " offset ", offset));
  const CutBy how = seed % 2 == 0 ? CutBy::kReset : CutBy::kFinish;
  ChaosCluster cluster(ChaosConfig(transport), 2, [&](TcpProxy* proxy) {
    proxy->CutAfter(way, offset, how, 2);
  });
  EXPECT_TRUE(cluster.StartOnly());
  cluster.Exchange(100, seed);
  cluster.ExpectAllOnce();
  EXPECT_GE(cluster.proxy(1, 2).Figures().cuts, 1u);
  EXPECT_GE(cluster.proxy(2, 1).Figures().cuts, 1u);
}

void CutAtOffsets(const std::string& transport, Way way,
                  const std::vector<std::uint64_t>& offsets,
                  std::uint64_t seed) {
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kClustersAtATime; ++i) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < offsets.size(); i = next++)
        CutAtOffset(transport, way, offsets[i], PartSeed(seed, offsets[i]));
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Offsets from a random one on, in steps of `stride`.
std::vector<std::uint64_t> SomeOffsets(std::uint64_t most, std::uint64_t stride,
                                       std::uint64_t seed) {
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t offset = 1 + seed % stride; offset <= most;
       offset += stride) {
    offsets.push_back(offset);
  }
  return offsets;
}

TEST_P(CutTest, AllArrivesOnceIfCutAtAnyOfTheFirstBytes) {
  CutAtOffsets(GetParam(), Way::kForward,
               SomeOffsets(kOffsets, kOffsetStride, seed_), seed_);
}

// On the way back a listener sends a handshake, or nothing.
TEST_P(CutTest, AllArrivesOnceIfCutAtAnyByteOfTheWayBack) {
  ChaosCluster cluster(ChaosConfig(GetParam()), 2);
  ASSERT_TRUE(cluster.Start());
  cluster.ExpectAllOnce();
  const std::uint64_t said =
      cluster.proxy(1, 2).Figures().given[static_cast<int>(Way::kBackward)];
  const std::uint64_t stride = std::max<std::uint64_t>(said / kOffsetsBack, 1);
  CutAtOffsets(GetParam(), Way::kBackward,
               SomeOffsets(said, std::min(kOffsetStride, stride), seed_),
               seed_);
}

INSTANTIATE_TEST_SUITE_P(Backends, CutTest, testing::ValuesIn(Backends()),
                         [](const testing::TestParamInfo<const char*>& info) {
                           return std::string(info.param);
                         });

}  // namespace
}  // namespace cluster::internal
