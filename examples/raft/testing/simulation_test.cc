// Raft in hundreds of bad worlds. A seed that fails once fails every time; the
// program simulate runs more of them.

#include "examples/raft/testing/simulation.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace raft {
namespace {

constexpr std::uint64_t kSeeds = RAFT_SEEDS;
constexpr std::uint64_t kHands = 8;  // tests, so that shards share the seeds

class RaftSeeds : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RaftSeeds, KeepAllPropertiesAndGoOnOnceHealed) {
  for (std::uint64_t seed = GetParam(); seed < kSeeds; seed += kHands) {
    const SimulationResult result = RunSimulation(seed);
    ASSERT_EQ(result.violation, "") << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Hands, RaftSeeds,
                         testing::Range<std::uint64_t>(0, kHands));

// The properties prove something only if all of this happens.
TEST(RaftSimulation, SeedsMeetEveryKindOfTrouble) {
  SimulationResult sum;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const SimulationResult result = RunSimulation(seed);
    sum.leaders += result.leaders;
    sum.committed += result.committed;
    sum.responses += result.responses;
    sum.crashes += result.crashes;
    sum.crashes_in_sync += result.crashes_in_sync;
    sum.snapshots_sent += result.snapshots_sent;
  }
  EXPECT_GT(sum.leaders, 100u);
  EXPECT_GT(sum.committed, 1000u);
  EXPECT_GT(sum.responses, 500u);
  EXPECT_GT(sum.crashes, 100u);
  EXPECT_GT(sum.crashes_in_sync, 10u);
  EXPECT_GT(sum.snapshots_sent, 20u);
}

}  // namespace
}  // namespace raft
