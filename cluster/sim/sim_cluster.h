// SimCluster: a simulated cluster, to run your own protocol in.
//
// It has a world, a network, and servers that know each other. Your protocol is
// a SimApplication. The test sets the NetworkFaults, crashes servers and heals
// the network. A Checker checks the library's own promises meanwhile.
// examples/simulated_election_test.cc is a whole test.
//
// Use it from one thread; time passes only in World::RunUntil. It borrows the
// application, which may be constructed after the cluster, before Start.
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
  // Makes servers 1, 2, ... `servers`, of which there are at least 2. It fills
  // ids and incarnations into copies of `session`.
  SimCluster(std::uint64_t seed, int servers,
             const internal::SessionConfig& session,
             SimApplication* application, bool keep_trace = false);
  SimCluster(const SimCluster&) = delete;
  SimCluster& operator=(const SimCluster&) = delete;

  void Start();
  void RunFor(absl::Duration duration);
  // Ends all faults and blocks, and starts the servers that do not run.
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
