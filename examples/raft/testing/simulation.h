// RunSimulation: servers of this Raft on the library's simulated network, with
// clients, from one seed.
//
// The network loses, doubles and reorders frames, and parts servers from each
// other; in some seeds it loses and reorders envelopes too. Servers crash and
// lose what they did not sync. After that all is healed, and a new command must
// reach every server. All the while Properties and History look on.
//
//   const SimulationResult result = RunSimulation(/*seed=*/7);
//   if (!result.violation.empty()) std::cerr << result.violation << "\n";

#ifndef EXAMPLES_RAFT_TESTING_SIMULATION_H_
#define EXAMPLES_RAFT_TESTING_SIMULATION_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace raft {

struct SimulationResult {
  std::string violation;  // the first one; "" if all is well
  std::size_t leaders = 0;
  std::size_t committed = 0;  // entries
  std::size_t responses = 0;  // to clients
  std::size_t crashes = 0;
  std::size_t crashes_in_sync = 0;
  std::size_t snapshots_sent = 0;
};

SimulationResult RunSimulation(std::uint64_t seed);

}  // namespace raft

#endif  // EXAMPLES_RAFT_TESTING_SIMULATION_H_
