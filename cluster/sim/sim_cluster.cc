#include "cluster/sim/sim_cluster.h"

#include "cluster/base/check.h"
#include "cluster/codec/binary/binary.h"

namespace cluster {
namespace {

// How much longer than peer_timeout a server may take to notice: two ticks.
constexpr absl::Duration kNoticeSlack = absl::Milliseconds(40);

}  // namespace

internal::SessionConfig SimSessionConfig() {
  internal::SessionConfig session;
  session.codec = &BinaryCodec();
  session.cluster = "simulation";
  return session;
}

SimCluster::SimCluster(std::uint64_t seed, int servers,
                       const internal::SessionConfig& session,
                       SimApplication* application, bool keep_trace)
    : world_(seed, keep_trace),
      network_(&world_),
      checker_(&world_, session, session.peer_timeout + kNoticeSlack) {
  CLUSTER_CHECK(servers >= 2, "a simulation needs two servers");
  CLUSTER_CHECK(session.codec != nullptr, "a simulation needs a codec");
  for (int id = 1; id <= servers; ++id) {
    servers_.push_back(std::make_unique<SimServer>(
        id, session,
        SimServer::Surroundings{&world_, &network_, &checker_, application}));
  }
  for (const auto& server : servers_) {
    for (int id = 1; id <= servers; ++id) {
      if (id != server->id()) server->AddPeer(id);
    }
  }
}

void SimCluster::Start() {
  for (const auto& server : servers_) server->Start();
}

void SimCluster::RunFor(absl::Duration duration) {
  world_.RunUntil(world_.Now() + duration);
}

void SimCluster::Heal() {
  network_.UnblockAll();
  network_.SetFaults(NetworkFaults());
  for (const auto& server : servers_) {
    if (!server->running()) server->Start();
  }
}

}  // namespace cluster
