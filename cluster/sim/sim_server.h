// SimServer: a simulated server, with the real sessions
// (cluster/session/session.h).
//
// It has a session to each peer, and an inbox that the application empties at a
// random pace. It may crash at any moment. Its next life has a new incarnation,
// and remembers only its id and its peers.
//
// Use it from one thread. It borrows its surroundings, and reports violations
// to the Checker.
//
//   cluster::SimServer server(1, config, {&world, &network, &checker, &app});
//   server.AddPeer(2);     // SimCluster does all this for several
//   server.Start();
//   server.Send(envelope);

#ifndef CLUSTER_SIM_SIM_SERVER_H_
#define CLUSTER_SIM_SIM_SERVER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster/caller.h"
#include "cluster/calls.h"
#include "cluster/envelope.h"
#include "cluster/server.h"
#include "cluster/session/session.h"
#include "cluster/sim/checker.h"
#include "cluster/sim/network.h"
#include "cluster/sim/world.h"
#include "cluster/transport/transport.h"

namespace cluster {

class SimServer;

// The application: one object for all servers. It outlives crashes, so it may
// hold a server's disk. It may call the server that it gets, and schedule tasks
// in its world. Such a task should check `running()` and `life()` first.
class SimApplication {
 public:
  virtual ~SimApplication() = default;
  virtual void OnStart(SimServer&) {}
  virtual void OnEnvelope(SimServer&, const EnvelopeView&) {}
  virtual void OnPeerEvent(SimServer&, const PeerEvent&) {}
};

// How fast the application takes arrivals. It pauses for at most `pause_max`
// before each, or with the probability `stall` for at most `stall_max`.
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

  // It fills the ids and the incarnation into copies of `config`.
  SimServer(int id, const internal::SessionConfig& config,
            const Surroundings& around);
  SimServer(const SimServer&) = delete;
  SimServer& operator=(const SimServer&) = delete;

  int id() const { return self_.server; }
  // The clock and the dice.
  World& world() const { return *around_.world; }
  // The number of starts. A task of an earlier life should do nothing.
  std::uint64_t life() const { return self_.life; }
  bool running() const { return running_; }

  void Start();
  // Crash is silent; Stop says goodbye to each peer.
  void Crash();
  void Stop();

  // Call these whether the server runs or not.
  void AddPeer(int peer);
  // With `drain` the peer gets nothing more from now on, and is removed once it has
  // acknowledged all, or after that time. It cannot be added meanwhile.
  void RemovePeer(int peer, absl::Duration drain = absl::ZeroDuration());
  // The connection is closed, and dialled anew. The peer is the same: in this
  // network an id is an address.
  void UpdatePeer(int peer);
  // Without those that leave.
  const std::set<int>& peers() const { return peers_; }

  // Sends to envelope.pid, or to all peers. Fills in the id and the sender.
  // Returns how many sessions accepted the envelope. Never waits. With
  // report_fate the checker hears the fates.
  int Send(const Envelope& envelope);
  int Send(const Envelope& envelope, const SendOptions& options);

  // As Caller's. The server hands answers and events on by itself, and calls end
  // with its life.
  absl::StatusOr<std::uint64_t> Call(int pid, const EnvelopeView& request,
                                     absl::Duration deadline,
                                     Caller::Callback callback);
  absl::Status Answer(const EnvelopeView& request, const EnvelopeView& answer);

  void SetPace(const SimPace& pace) { pace_ = pace; }
  // While it stands still, its application takes nothing and its peers hear so. A
  // new life does not.
  void StandStill(bool still);
  // Other times, in this life and the next ones. False, and nothing changes: a peer
  // with a session does not know kFeatureLiveTimes.
  bool SetTimes(absl::Duration heartbeat, absl::Duration peer_timeout);
  // Takes effect at the next Start. By default there is no bound.
  void SetMemory(std::size_t memory_bytes_max) {
    memory_bytes_max_ = memory_bytes_max;
  }

  // Whether no envelope is queued, in flight or waiting to be taken.
  bool Drained() const;
  // Lets the checker do its last checks, when the simulation is healed.
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
  // The session to a peer, and the events that it raised.
  struct Peer final : internal::SessionSink, internal::FateSink {
    Peer(SimServer* owner, int peer_id, const internal::SessionConfig& config)
        : server(owner), id(peer_id), queue(config) {}
    void OnArrival(internal::Arrival arrival) override;
    void OnSessionEvent(PeerEvent event) override;
    void OnFate(const Fate& fate) override;

    SimServer* const server;
    const int id;
    internal::SendQueue queue;
    std::unique_ptr<internal::Session> session;
    std::vector<PeerEvent> raised;  // by the present call
    std::size_t inbox_bytes = 0;
    absl::Time last_frame = absl::InfinitePast();
  };
  // The way of calls.
  struct Line final : internal::CallLine {
    explicit Line(SimServer* owner) : server(owner) {}
    absl::Status Send(const EnvelopeView& envelope,
                      const SendOptions& options) override;
    bool Withdraw(int pid, Lane lane, std::uint64_t group,
                  std::uint64_t replaces) override;

    SimServer* const server;
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
  internal::SendOutcome SendTo(Peer* peer, const Envelope& envelope,
                               const SendOptions& options);
  void LetGo(int peer);
  void Remove(int peer, bool drained);
  void Observe(Peer* peer, std::uint64_t hello_incarnation = 0);
  void ObserveMemory();
  void Pump(Peer* peer);
  void PumpAll();
  void Tick();
  void ScheduleTake();
  void Take();
  void TakeArrival(Peer* peer, const internal::Arrival& arrival);
  // Schedules a task, which is skipped when this life is over.
  void After(absl::Duration delay, void (SimServer::*task)());

  SimLife self_;
  const Surroundings around_;
  internal::SessionConfig config_;  // with the world's clock
  // Of this life's program; the next life may have another one.
  VersionRange versions_{kFrameVersionMin, kFrameVersionMax};
  std::uint64_t features_ = 0;
  std::shared_ptr<std::atomic<bool>> stands_still_;  // of this life
  bool running_ = false;
  std::set<int> peers_;
  std::map<int, absl::Time> leaving_;  // until when they may drain
  std::map<int, std::unique_ptr<Peer>> sessions_;
  Line line_{this};
  std::unique_ptr<internal::Calls> calls_;  // of this life
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
