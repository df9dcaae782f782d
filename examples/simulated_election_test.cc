// A test of a protocol in the simulator.
//
// Three servers elect leaders, while the network loses, doubles, delays and
// reorders frames and servers crash. Ten minutes of that take a second or two.
// A seed that fails once fails every time.
//
// The protocol is the election of Raft: at most one leader in any term.

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>

#include "cluster/sim/sim_cluster.h"
#include "gtest/gtest.h"

namespace {

constexpr int kServers = 3;

class Election final : public cluster::SimApplication {
 public:
  void OnStart(cluster::SimServer& server) override { StandLater(&server); }

  void OnEnvelope(cluster::SimServer& server,
                  const cluster::EnvelopeView& message) override {
    State& state = states_[server.id()];
    if (message.msg_type == cluster::MsgType::kRequestVoteRequest) {
      const bool granted = message.term > state.term;
      state.term = std::max(state.term, message.term);
      if (granted) Say(&server, message.sender_id, true, message.term);
    } else if (message.term == state.standing) {
      state.votes.insert(message.sender_id);
      if (state.votes.size() > kServers / 2) {
        const int leader =
            leaders.emplace(message.term, server.id()).first->second;
        EXPECT_EQ(leader, server.id()) << "two leaders in " << message.term;
      }
    }
  }

  std::map<std::uint64_t, int> leaders;  // by term

 private:
  struct State {
    std::uint64_t term = 0;      // the last one voted in: on disk
    std::uint64_t standing = 0;  // the term it is a candidate for
    std::set<int> votes;
  };

  void StandLater(cluster::SimServer* server) {
    cluster::World& world = server->world();
    world.After(world.Between(absl::Milliseconds(100), absl::Milliseconds(500)),
                [this, server, life = server->life()] {
                  if (!server->running() || server->life() != life) return;
                  State& state = states_[server->id()];
                  state.standing = ++state.term;
                  state.votes = {server->id()};
                  Say(server, cluster::kBroadcast, false, state.term);
                  StandLater(server);
                });
  }

  static void Say(cluster::SimServer* server, int to, bool vote,
                  std::uint64_t term) {
    cluster::Envelope message;
    message.pid = to;
    message.msg_type = vote ? cluster::MsgType::kRequestVoteResponse
                            : cluster::MsgType::kRequestVoteRequest;
    message.term = term;
    server->Send(message);
  }

  std::map<int, State> states_;  // outlives crashes
};

TEST(SimulatedElection, HasAtMostOneLeaderInATermAndFindsOne) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    Election election;
    cluster::SimCluster servers(seed, kServers, cluster::SimSessionConfig(),
                                &election);
    cluster::NetworkFaults faults;
    faults.loss = faults.duplicate = faults.reorder = 0.1;
    faults.delay_max = absl::Milliseconds(50);
    servers.network().SetFaults(faults);
    servers.Start();
    for (int crash = 0; crash < 10; ++crash) {
      servers.RunFor(absl::Milliseconds(200));
      const int id = 1 + static_cast<int>(servers.world().Below(kServers));
      servers.server(id).Crash();
      servers.RunFor(absl::Milliseconds(200));
      servers.server(id).Start();
    }
    servers.Heal();
    const std::size_t leaders = election.leaders.size();
    servers.RunFor(absl::Seconds(2));
    EXPECT_GT(election.leaders.size(), leaders) << "nobody is elected any more";
    EXPECT_TRUE(servers.checker().ok()) << servers.checker().violations()[0];
    if (HasFailure()) break;
  }
}

}  // namespace
