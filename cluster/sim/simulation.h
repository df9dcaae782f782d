// RunSimulation: many servers on a hostile network in virtual time, watched by
// a Checker, from one seed.
//
// What happens: servers send each other random traffic while the network does
// what NetworkFaults says, servers crash, stop and restart, members are removed
// and added again, and single directions go deaf. After `duration` all of that
// ends, and everything that was accepted must arrive, or have been reported as
// dropped, within `heal_max`; after that nothing may happen any more. What it
// is not: a test of threads, sockets or real clocks.
//
// Threads: one; runs of different seeds may go on different threads. Errors:
// the result lists what was violated. The same options give the same trace.
//
//   cluster::SimulationOptions options = cluster::RandomSimulation(/*seed=*/7);
//   cluster::SimulationResult result = cluster::RunSimulation(options);
//   if (!result.ok()) std::cerr << result.violations.front();

#ifndef CLUSTER_SIM_SIMULATION_H_
#define CLUSTER_SIM_SIMULATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cluster/session/session_config.h"
#include "cluster/sim/network.h"
#include "cluster/sim/sim_server.h"
#include "cluster/sim/traffic.h"

namespace cluster {

struct SimulationOptions {
  std::uint64_t seed = 0;
  int servers = 3;  // at least 2
  absl::Duration duration = absl::Seconds(2);
  absl::Duration heal_max = absl::Seconds(60);
  internal::SessionConfig session;   // of every server; the codec must be set
  std::size_t memory_bytes_max = 0;  // of every server; 0: no bound
  NetworkFaults faults;
  SimPace pace;
  SimTrafficOptions traffic;
  // How often on average, by chance; InfiniteDuration: never.
  absl::Duration crash_every = absl::InfiniteDuration();
  absl::Duration remove_every = absl::InfiniteDuration();
  absl::Duration reset_every = absl::InfiniteDuration();
  absl::Duration block_every = absl::InfiniteDuration();  // one direction
  bool keep_trace = false;                                // as text
};

// Small windows and frames, so that every limit is met, and a random mix of
// faults: each kind is absent in some seeds.
SimulationOptions RandomSimulation(std::uint64_t seed);

struct SimulationResult {
  std::vector<std::string> violations;
  std::uint64_t trace_hash = 0;
  std::uint64_t trace_length = 0;
  std::string trace_text;
  absl::Duration virtual_time;
  std::uint64_t envelopes_accepted = 0;  // once for each recipient
  std::uint64_t envelopes_taken = 0;
  std::uint64_t envelopes_dropped = 0;  // and counted as such by their senders
  std::uint64_t envelopes_resent = 0;   // after a restart of the recipient
  std::uint64_t memory_refused = 0;     // envelopes shut out by the bound
  std::uint64_t waited = 0;   // steps in which a large payload waited for room
  std::uint64_t stalled = 0;  // sessions that ended for the sake of those
  std::uint64_t frames = 0;
  std::uint64_t crashes = 0;

  bool ok() const { return violations.empty(); }
};

SimulationResult RunSimulation(const SimulationOptions& options);

}  // namespace cluster

#endif  // CLUSTER_SIM_SIMULATION_H_
