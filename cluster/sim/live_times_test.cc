// Heartbeats and timeouts that change again and again on a network without faults:
// no peer is ever down for it, and nothing is lost.

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "cluster/sim/sim_cluster.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

// Each server sends to all now and then, so that sessions are busy and idle.
class CalmTraffic final : public SimApplication {
 public:
  void OnStart(SimServer& server) override { Send(&server); }
  void OnPeerEvent(SimServer& server, const PeerEvent& event) override {
    // A warning says that times do not fit, which is so for a while.
    if (event.type == PeerEvent::kUp || event.type == PeerEvent::kWarning)
      return;
    ADD_FAILURE() << "server " << server.id() << ": peer " << event.peer << " "
                  << PeerEventTypeName(event.type) << ", " << event.reason;
  }
  void Cease() { ceased_ = true; }

 private:
  void Send(SimServer* server) {
    if (ceased_) return;
    World& world = server->world();
    Envelope envelope;
    envelope.pid = kBroadcast;
    envelope.payload.resize(world.Below(20000));
    server->Send(envelope);
    world.After(world.Between(absl::ZeroDuration(), absl::Seconds(8)),
                [this, server] { Send(server); });
  }

  bool ceased_ = false;
};

// Returns how many changes there were.
int Simulate(std::uint64_t seed) {
  internal::SessionConfig session = SimSessionConfig();
  session.heartbeat = absl::Seconds(3);
  session.peer_timeout = absl::Seconds(7);  // the longest of all
  World dice(seed);
  CalmTraffic traffic;
  SimCluster cluster(seed, 3, session, &traffic);
  NetworkFaults slow;
  slow.delay_max = absl::Milliseconds(1) * (1 << dice.Below(6));
  cluster.network().SetFaults(slow);
  cluster.Start();
  cluster.RunFor(absl::Seconds(1));
  int changes = 0;
  for (int i = 0; i < 200 && !testing::Test::HasFailure(); ++i) {
    // A tick comes every 20 ms, and a frame takes up to 32.
    const auto timeout = absl::Milliseconds(400) * (1 << dice.Below(5));
    const auto parts = static_cast<int>(2 + dice.Below(4));
    if (cluster.servers()[dice.Below(3)]->SetTimes(timeout / parts, timeout))
      ++changes;
    cluster.RunFor(absl::Milliseconds(1 << dice.Below(13)));
  }
  traffic.Cease();
  cluster.RunFor(absl::Seconds(20));
  EXPECT_EQ(cluster.checker().dropped(), 0u);
  for (const auto& server : cluster.servers()) {
    EXPECT_TRUE(server->Drained());
    server->Settle();
  }
  EXPECT_TRUE(cluster.checker().ok()) << cluster.checker().violations().front();
  return changes;
}

TEST(LiveTimes, NoPeerIsDownForAChange) {
  int changes = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    changes += Simulate(seed);
    if (HasFailure()) return;
  }
  // Some servers do not know how.
  EXPECT_GT(changes, 1000);
}

}  // namespace
}  // namespace cluster
