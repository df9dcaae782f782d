// Runs seeds of the simulation and reports the first one that violates a
// promise.
//
//   bazel run -c opt //tests:simulate -- --seeds=10000 --seed=0
//   bazel run //tests:simulate -- --seeds=1 --seed=17 --trace
//
// The exit code is 1 if a seed does, else 0.

#include <cstdint>
#include <iostream>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "cluster/sim/simulation.h"

ABSL_FLAG(std::uint64_t, seed, 0, "The first seed.");
ABSL_FLAG(std::uint64_t, seeds, 1000, "How many, counting up.");
ABSL_FLAG(bool, trace, false, "Print all that happens.");

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Simulates servers on hostile networks and checks every promise.");
  absl::ParseCommandLine(argc, argv);
  const std::uint64_t first = absl::GetFlag(FLAGS_seed);
  const std::uint64_t seeds = absl::GetFlag(FLAGS_seeds);
  std::uint64_t accepted = 0;
  std::uint64_t frames = 0;
  absl::Duration virtual_time;
  for (std::uint64_t seed = first; seed - first < seeds; ++seed) {
    cluster::SimulationOptions options = cluster::RandomSimulation(seed);
    options.keep_trace = absl::GetFlag(FLAGS_trace);
    const cluster::SimulationResult result = cluster::RunSimulation(options);
    std::cout << result.trace_text;
    accepted += result.envelopes_accepted;
    frames += result.frames;
    virtual_time += result.virtual_time;
    if (result.ok()) continue;
    for (const std::string& violation : result.violations)
      std::cout << "seed " << seed << " " << violation << "\n";
    std::cout << "replay: bazel run //tests:simulate -- --seeds=1 --seed="
              << seed << " --trace\n";
    return 1;
  }
  std::cout << seeds << " seeds, " << accepted << " envelopes, " << frames
            << " frames, " << absl::FormatDuration(virtual_time)
            << " of virtual time: every promise was kept\n";
  return 0;
}
