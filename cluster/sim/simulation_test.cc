// Thousands of seeds through the session core. A failure names the seed; the
// same seed with the program shows what happened:
//
//   bazel run //tests:simulate -- --seed=S --seeds=1 --trace

#include "cluster/sim/simulation.h"

#include <cstdint>
#include <string>

#include "gtest/gtest.h"

namespace cluster {
namespace {

std::string Replay(std::uint64_t seed) {
  return "bazel run //tests:simulate -- --seeds=1 --seed=" +
         std::to_string(seed) + " --trace";
}

void RunSeeds(std::uint64_t begin, std::uint64_t end) {
  for (std::uint64_t seed = begin; seed < end; ++seed) {
    const SimulationResult result = RunSimulation(RandomSimulation(seed));
    ASSERT_TRUE(result.ok())
        << "seed " << seed << ": " << result.violations.front()
        << "\n  replay: " << Replay(seed);
    ASSERT_GT(result.envelopes_taken, 0u) << "seed " << seed;
  }
}

// Quarters, so that the shards of a test run share the work.
TEST(Simulation, KeepsItsPromisesForSeedsOfTheFirstQuarter) {
  RunSeeds(0, 500);
}
TEST(Simulation, KeepsItsPromisesForSeedsOfTheSecondQuarter) {
  RunSeeds(500, 1000);
}
TEST(Simulation, KeepsItsPromisesForSeedsOfTheThirdQuarter) {
  RunSeeds(1000, 1500);
}
TEST(Simulation, KeepsItsPromisesForSeedsOfTheFourthQuarter) {
  RunSeeds(1500, 2000);
}

TEST(Simulation, SameSeedSameTrace) {
  for (std::uint64_t seed : {3u, 14u, 159u}) {
    SimulationOptions options = RandomSimulation(seed);
    options.keep_trace = true;
    const SimulationResult once = RunSimulation(options);
    const SimulationResult again = RunSimulation(options);
    EXPECT_EQ(once.trace_hash, again.trace_hash);
    EXPECT_EQ(once.trace_text, again.trace_text);
    EXPECT_GT(once.trace_length, 1000u);
    // Keeping the text changes nothing.
    options.keep_trace = false;
    EXPECT_EQ(RunSimulation(options).trace_hash, once.trace_hash);
  }
}

TEST(Simulation, OtherSeedsHaveOtherTraces) {
  EXPECT_NE(RunSimulation(RandomSimulation(1)).trace_hash,
            RunSimulation(RandomSimulation(2)).trace_hash);
}

// What is promised is worth something only if the trouble really occurs.
TEST(Simulation, SeedsMeetEveryKindOfTrouble) {
  std::uint64_t crashes = 0;
  std::uint64_t dropped = 0;
  std::uint64_t resent = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const SimulationResult result = RunSimulation(RandomSimulation(seed));
    crashes += result.crashes;
    dropped += result.envelopes_dropped;
    resent += result.envelopes_resent;
  }
  EXPECT_GT(crashes, 100u);
  EXPECT_GT(dropped, 100u);
  EXPECT_GT(resent, 100u);
}

}  // namespace
}  // namespace cluster
