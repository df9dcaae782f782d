// RunSimulation: many servers on a hostile network in virtual time, from one
// seed.
//
// Servers send random traffic while the network misbehaves as NetworkFaults
// says. Servers crash, stop and restart, members come and go, and single
// directions go deaf. After `duration` all trouble ends. Within `heal_max`
// every accepted envelope must have arrived or been reported as dropped. After
// that nothing may happen any more. A Checker finds violations.
//
// A run uses one thread; several runs may have a thread each. The same options
// give the same trace.
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
  // The mean time between random events; InfiniteDuration: never.
  absl::Duration crash_every = absl::InfiniteDuration();
  absl::Duration remove_every = absl::InfiniteDuration();
  absl::Duration update_every = absl::InfiniteDuration();
  absl::Duration reset_every = absl::InfiniteDuration();
  absl::Duration block_every = absl::InfiniteDuration();  // one direction
  // An application stands still for a while.
  absl::Duration still_every = absl::InfiniteDuration();
  // A server's heartbeat and timeout, which get no longer than `session` has them.
  absl::Duration times_every = absl::InfiniteDuration();
  bool keep_trace = false;  // as text
};

// Options with a random mix of faults, of which each is absent in some seeds.
// Windows and frames are small, so that traffic meets every limit.
SimulationOptions RandomSimulation(std::uint64_t seed);

struct SimulationResult {
  std::vector<std::string> violations;
  std::uint64_t trace_hash = 0;
  std::uint64_t trace_length = 0;
  std::string trace_text;
  absl::Duration virtual_time;
  std::uint64_t envelopes_accepted = 0;  // once for each recipient
  std::uint64_t envelopes_taken = 0;
  std::uint64_t envelopes_dropped = 0;  // as their senders counted
  std::uint64_t envelopes_resent = 0;   // after a restart of the recipient
  std::uint64_t envelopes_expired = 0;  // of those that were dropped
  std::uint64_t envelopes_superseded = 0;
  std::uint64_t resends_superseded = 0;  // that a newer one replaced
  std::uint64_t memory_refused = 0;      // envelopes, by memory_bytes_max
  std::uint64_t waited = 0;   // steps in which a large payload waited for room
  std::uint64_t stalled = 0;  // sessions that ended to make that room
  std::uint64_t told_still =
      0;  // peers, because their applications stand still
  std::uint64_t times_changed = 0;
  std::uint64_t calls_answered = 0;
  std::uint64_t calls_late = 0;  // of those that ended with no answer in time
  std::uint64_t calls_never_ran = 0;  // because the peer went down before
  std::uint64_t calls_unknown =
      0;  // because it went down, and may have run them
  std::uint64_t frames = 0;
  std::uint64_t crashes = 0;

  bool ok() const { return violations.empty(); }
};

SimulationResult RunSimulation(const SimulationOptions& options);

}  // namespace cluster

#endif  // CLUSTER_SIM_SIMULATION_H_
