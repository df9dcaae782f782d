// SimCluster: a world, a network, and servers in it that know each other: where
// a simulation of one's own protocol begins.
//
// What it is: the parts of this folder, put together. The protocol is a
// SimApplication, the network as bad as its NetworkFaults say, and a Checker
// watches the library's own promises meanwhile. What it is not: a source of
// trouble by itself: the test crashes servers, cuts and heals.
// examples/simulated_election_test.cc is a whole test.
//
// Threads: one; time passes only in World::RunUntil. Ownership: the application
// is borrowed, and may be constructed after the cluster, before Start. Errors:
// the checker's.
//
//   SimCluster cluster(seed, 3, SimSessionConfig(), &my_protocol);
//   cluster.network().SetFaults(faults);
//   cluster.Start();
//   cluster.RunFor(absl::Seconds(5));
//   cluster.server(2).Crash();
//   EXPECT_TRUE(cluster.checker().ok());

#ifndef CLUSTER_SIM_SIM_CLUSTER_H_
#define CLUSTER_SIM_SIM_CLUSTER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "cluster/session/session_config.h"
#include "cluster/sim/checker.h"
#include "cluster/sim/network.h"
#include "cluster/sim/sim_server.h"
#include "cluster/sim/world.h"

namespace cluster {

// The limits and times of a server with the default config, and the binary
// codec.
internal::SessionConfig SimSessionConfig();

class SimCluster {
 public:
  // Servers 1, 2, ... `servers` (at least 2); `session` is a template: ids and
  // incarnations are filled in.
  SimCluster(std::uint64_t seed, int servers,
             const internal::SessionConfig& session,
             SimApplication* application, bool keep_trace = false);
  SimCluster(const SimCluster&) = delete;
  SimCluster& operator=(const SimCluster&) = delete;

  void Start();
  void RunFor(absl::Duration duration);
  // The network is good again, nothing is blocked, and all servers run.
  void Heal();

  World& world() { return world_; }
  const World& world() const { return world_; }
  SimNetwork& network() { return network_; }
  Checker& checker() { return checker_; }
  SimServer& server(int id) {
    return *servers_[static_cast<std::size_t>(id - 1)];
  }
  const std::vector<std::unique_ptr<SimServer>>& servers() const {
    return servers_;
  }

 private:
  World world_;
  SimNetwork network_;
  Checker checker_;
  std::vector<std::unique_ptr<SimServer>> servers_;
};

}  // namespace cluster

#endif  // CLUSTER_SIM_SIM_CLUSTER_H_
