// Runs thousands of seeds. A failure names its seed, and the program shows the
// trace of that seed:
//
//   bazel run //tests:simulate -- --seed=S --seeds=1 --trace

#include "cluster/sim/simulation.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

// So many tests share the seeds, so that shards share the work.
constexpr std::uint64_t kSeeds = SIMULATION_SEEDS;
constexpr std::uint64_t kHands = 8;

class SimulationSeeds : public testing::TestWithParam<std::uint64_t> {};

TEST_P(SimulationSeeds, KeepEveryPromise) {
  for (std::uint64_t seed = GetParam(); seed < kSeeds; seed += kHands) {
    const SimulationResult result = RunSimulation(RandomSimulation(seed));
    ASSERT_TRUE(result.ok())
        << "seed " << seed << ": " << result.violations.front()
        << "\n  replay: bazel run //tests:simulate -- --seeds=1 --trace --seed="
        << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Hands, SimulationSeeds,
                         testing::Range<std::uint64_t>(0, kHands));

TEST(Simulation, SameSeedSameTrace) {
  for (std::uint64_t seed : {3u, 14u, 159u}) {
    SimulationOptions options = RandomSimulation(seed);
    options.keep_trace = true;
    const SimulationResult once = RunSimulation(options);
    const SimulationResult again = RunSimulation(options);
    EXPECT_EQ(once.trace_hash, again.trace_hash);
    EXPECT_EQ(once.trace_text, again.trace_text);
    EXPECT_GT(once.trace_length, 500u);
    // Keeping the text must not change the trace.
    options.keep_trace = false;
    EXPECT_EQ(RunSimulation(options).trace_hash, once.trace_hash);
  }
}

TEST(Simulation, OtherSeedsHaveOtherTraces) {
  EXPECT_NE(RunSimulation(RandomSimulation(1)).trace_hash,
            RunSimulation(RandomSimulation(2)).trace_hash);
}

// The simulation proves a promise only if the trouble really occurs.
TEST(Simulation, SeedsMeetEveryKindOfTrouble) {
  std::uint64_t taken = 0;
  std::uint64_t crashes = 0;
  std::uint64_t dropped = 0;
  std::uint64_t resent = 0;
  std::uint64_t expired = 0;
  std::uint64_t superseded = 0;
  std::uint64_t resends_superseded = 0;
  std::uint64_t memory_refused = 0;
  std::uint64_t waited = 0;
  std::uint64_t stalled = 0;
  std::uint64_t told_still = 0;
  std::uint64_t times_changed = 0;
  std::uint64_t calls_answered = 0;
  std::uint64_t calls_late = 0;
  std::uint64_t calls_never_ran = 0;
  std::uint64_t calls_unknown = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const SimulationResult result = RunSimulation(RandomSimulation(seed));
    taken += result.envelopes_taken;
    crashes += result.crashes;
    dropped += result.envelopes_dropped;
    resent += result.envelopes_resent;
    expired += result.envelopes_expired;
    superseded += result.envelopes_superseded;
    resends_superseded += result.resends_superseded;
    memory_refused += result.memory_refused;
    waited += result.waited;
    stalled += result.stalled;
    told_still += result.told_still;
    times_changed += result.times_changed;
    calls_answered += result.calls_answered;
    calls_late += result.calls_late;
    calls_never_ran += result.calls_never_ran;
    calls_unknown += result.calls_unknown;
  }
  EXPECT_GT(taken, 10000u);
  EXPECT_GT(crashes, 20u);
  EXPECT_GT(dropped, 100u);
  EXPECT_GT(resent, 100u);
  EXPECT_GT(expired, 100u);
  EXPECT_GT(superseded, 100u);
  EXPECT_GT(resends_superseded, 10u);
  EXPECT_GT(memory_refused, 100u);
  EXPECT_GT(waited, 100u);
  EXPECT_GT(stalled, 0u);
  EXPECT_GT(told_still, 100u);
  EXPECT_GT(times_changed, 100u);
  EXPECT_GT(calls_answered, 1000u);
  EXPECT_GT(calls_late, 100u);
  EXPECT_GT(calls_never_ran, 10u);
  EXPECT_GT(calls_unknown, 10u);
}

}  // namespace
}  // namespace cluster::internal
