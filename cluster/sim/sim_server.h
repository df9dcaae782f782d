// SimServer: a server of a simulation, over the same session core as the real
// one (cluster/session/session.h).
//
// What it is: a session to each peer, an inbox that an application empties at its
// own (random) pace, and lives: it may crash at any moment and come back as a
// new incarnation that remembers nothing but its id and its peers. What it is
// not: cluster::Server, which adds threads, a real clock and a transport.
//
// Threads: all in one. Ownership: everything is borrowed. Errors: what is wrong
// is told to the Checker.
//
//   cluster::SimServer server(1, config, {&world, &network, &checker, &app});
//   server.AddPeer(2);     // SimCluster does all this for several
//   server.Start();
//   server.Send(envelope);

#ifndef CLUSTER_SIM_SIM_SERVER_H_
#define CLUSTER_SIM_SIM_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "absl/time/time.h"
#include "cluster/envelope.h"
#include "cluster/session/session.h"
#include "cluster/sim/checker.h"
#include "cluster/sim/network.h"
#include "cluster/sim/world.h"
#include "cluster/transport/transport.h"

namespace cluster {

class SimServer;

// What runs on servers: one object for all of them, which outlives crashes, so
// that what a server keeps on disk may be in it. It may call the server that it
// is given, and schedule tasks in its world; those should check `running()` and
// `life()` before they act.
class SimApplication {
 public:
  virtual ~SimApplication() = default;
  virtual void OnStart(SimServer&) {}
  virtual void OnEnvelope(SimServer&, const EnvelopeView&) {}
  virtual void OnPeerEvent(SimServer&, const PeerEvent&) {}
};

// How fast the application takes what arrives: each arrival after a pause of at
// most `pause_max`, and with this probability after one of at most `stall_max`.
struct SimPace {
  absl::Duration pause_max = absl::Milliseconds(1);
  double stall = 0;
  absl::Duration stall_max = absl::Milliseconds(500);
};

class SimServer final : public TransportHandler {
 public:
  struct Surroundings {
    World* world;
    SimNetwork* network;
    Checker* checker;
    SimApplication* application;
  };

  // `config` is a template: ids and incarnation are filled in.
  SimServer(int id, const internal::SessionConfig& config,
            const Surroundings& around);
  SimServer(const SimServer&) = delete;
  SimServer& operator=(const SimServer&) = delete;

  int id() const { return self_.server; }
  // Its clock and its dice.
  World& world() const { return *around_.world; }
  // Counts the starts; a task of an earlier life has nothing to do any more.
  std::uint64_t life() const { return self_.life; }
  bool running() const { return running_; }

  void Start();
  // Without a word, or with a goodbye to each peer.
  void Crash();
  void Stop();

  // Running or not.
  void AddPeer(int peer);
  void RemovePeer(int peer);
  const std::set<int>& peers() const { return peers_; }

  // To envelope.pid, or to all peers; the id and the sender are filled in.
  // Returns how many peers' sessions accepted it.
  int Send(Envelope envelope);

  void SetPace(const SimPace& pace) { pace_ = pace; }
  // From the next Start on; by default there is no bound.
  void SetMemory(std::size_t memory_bytes_max) {
    memory_bytes_max_ = memory_bytes_max;
  }

  // Nothing is queued, in flight or waiting to be taken.
  bool Drained() const;
  // Lets the checker look at the end of a healed simulation.
  void Settle();

  // TransportHandler:
  FrameVerdict OnFrame(ReceivedFrame frame) override;
  void OnDrained() override;
  void OnWritable(int peer) override;
  void OnConnected(int peer, std::uint64_t generation) override;
  void OnDisconnected(int peer, std::uint64_t generation,
                      absl::string_view reason) override;
  void OnRejected(Rejection) override {}  // this network turns nobody away

 private:
  // The session to a peer, and what it raised.
  struct Peer final : internal::SessionSink {
    Peer(SimServer* owner, int peer_id, const internal::SessionConfig& config)
        : server(owner), id(peer_id), queue(config) {}
    void OnArrival(internal::Arrival arrival) override;
    void OnSessionEvent(PeerEvent event) override;

    SimServer* const server;
    const int id;
    internal::SendQueue queue;
    std::unique_ptr<internal::Session> session;
    std::vector<PeerEvent> raised;  // by the present call
    std::size_t inbox_bytes = 0;
    absl::Time last_frame = absl::InfinitePast();
  };
  // An arrival, or an event if it has no records and no session.
  struct InboxItem {
    int peer = 0;
    bool is_event = false;
    PeerEvent event;
    internal::Arrival arrival;
  };

  Peer* Find(int peer);
  void MakeSession(int peer);
  void Observe(Peer* peer, std::uint64_t hello_incarnation = 0);
  void ObserveMemory();
  void Pump(Peer* peer);
  void PumpAll();
  void Tick();
  void ScheduleTake();
  void Take();
  void TakeArrival(Peer* peer, const internal::Arrival& arrival);
  // A task that is skipped when this life is over.
  void After(absl::Duration delay, void (SimServer::*task)());

  SimLife self_;
  const internal::SessionConfig config_;
  const Surroundings around_;
  // What this life speaks and understands: lives may be of different programs.
  VersionRange versions_{kFrameVersionMin, kFrameVersionMax};
  std::uint64_t features_ = 0;
  bool running_ = false;
  std::set<int> peers_;
  std::map<int, std::unique_ptr<Peer>> sessions_;
  std::deque<InboxItem> inbox_;
  bool taking_ = false;
  bool pump_scheduled_ = false;
  std::uint64_t message_sequence_ = 0;
  SimPace pace_;
  std::size_t memory_bytes_max_ = 0;  // 0: no bound
  std::shared_ptr<internal::MemoryBudget> memory_;
};

}  // namespace cluster

#endif  // CLUSTER_SIM_SIM_SERVER_H_
