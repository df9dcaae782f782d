// Checker: says whether servers keep the promises of the reliable delivery.
//
// What it is: an observer that knows more than any server does. It is told what
// was accepted, what the applications took and in what state each session is, and
// finds: an envelope that nobody sent, or twice, or out of its lane's order, or
// changed; one that is missing and was not reported as dropped; an
// acknowledgement of what no application took; a wrong count of unknown fates;
// a restart policy that was not honoured; events in the wrong order; a peer
// that is up though it is silent or deaf; queues, windows and all that a server
// holds beyond their bounds; accounts that do not add up; a life under an
// incarnation that was another's. What it is not: part of any server.
//
// Threads: all in one. Errors: collected as texts, the first ones are kept.
//
//   cluster::Checker checker(&world, config);
//   checker.OnAccepted(1, 2, envelope);
//   checker.OnTaken(2, life, 1, session, envelope);
//   if (!checker.ok()) std::cerr << checker.violations().front();

#ifndef CLUSTER_SIM_CHECKER_H_
#define CLUSTER_SIM_CHECKER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cluster/envelope.h"
#include "cluster/peer_event.h"
#include "cluster/session/memory_budget.h"
#include "cluster/session/session_config.h"
#include "cluster/sim/world.h"
#include "cluster/stats.h"

namespace cluster {

// A server numbers its lives from 1: what it is to its peers only by its
// incarnation, the checker knows for sure.
struct SimLife {
  int server = 0;
  std::uint64_t life = 0;
  std::uint64_t incarnation = 0;
};

// What a server holds for all its peers together, after any call into a session.
struct MemoryObservation {
  std::size_t sending;   // queued, or transmitted and not consumed
  std::size_t received;  // and not taken
  std::size_t reassembly;
  bool waiting;  // a large payload waits for room
};

// What one call into a session did.
struct SessionObservation {
  PeerStats stats;                  // afterwards
  std::vector<PeerEvent> events;    // that it raised
  std::uint64_t hello_incarnation;  // of the hello that came in, else 0
  absl::Time last_frame;            // of the peer
  std::size_t inbox_bytes;          // of the peer, not taken
};

class Checker {
 public:
  // `config` is every server's; `patience` is how long a server may take to
  // notice a silent peer.
  Checker(const World* world, const internal::SessionConfig& config,
          absl::Duration patience);

  // A life begins.
  void OnLife(const SimLife& self);

  // --- the sender's side ---

  // A session was made for `peer`, with counters at zero.
  void OnSessionMade(const SimLife& self, int peer);
  // It is gone; its last observation holds its final counters.
  void OnSessionGone(const SimLife& self, int peer);
  void OnAccepted(const SimLife& self, int peer, const Envelope& envelope);
  // After every call into the session.
  void OnSession(const SimLife& self, int peer, const SessionObservation& seen);

  // After every call into any of its sessions; `parts` are what it may hold.
  void OnMemory(const SimLife& self, const MemoryObservation& seen,
                const internal::MemoryParts& parts);

  // --- the receiver's side, in the order in which the application sees it ---

  void OnTaken(const SimLife& self, int peer, std::uint64_t session,
               const EnvelopeView& envelope);
  void OnEvent(const SimLife& self, int peer, const PeerEvent& event);

  // --- at the end, when all is healed and nothing moves any more ---

  // From now on no event is due: a session that goes down or restarts is wrong.
  void ExpectQuiet() { quiet_ = true; }
  // Everything that this life accepted for `peer` is acknowledged or dropped.
  void OnSettled(const SimLife& self, int peer);

  void Fail(const std::string& text);
  bool ok() const { return violations_.empty(); }
  const std::vector<std::string>& violations() const { return violations_; }
  std::uint64_t accepted() const { return accepted_; }
  std::uint64_t taken() const { return taken_; }
  std::uint64_t dropped() const;
  std::uint64_t resent() const { return resent_; }
  // Observations: of an envelope that memory_bytes_max shut out, of a large
  // payload that waited, and of one that stood still for too long.
  std::uint64_t memory_refused() const { return memory_refused_; }
  std::uint64_t waited() const { return waited_; }
  std::uint64_t stalled() const { return stalled_; }

 private:
  struct Accepted {
    Envelope envelope;
    std::uint64_t position = 0;  // in its lane, from 1
    bool taken = false;          // in some life of the receiver
  };
  // From one life of a sender to one receiver.
  struct Stream {
    std::unordered_map<std::uint64_t, Accepted> accepted;  // by id sequence
    std::array<std::uint64_t, kLanes> positions{};
    std::array<std::uint64_t, kLanes> furthest{};  // taken in any life
    std::map<std::uint64_t, std::array<std::uint64_t, kLanes>> last;  // by life
    std::uint64_t taken = 0;
    std::uint64_t skipped = 0;
    // Of sessions that are gone, and of the present one.
    std::uint64_t gone_acknowledged = 0;
    std::uint64_t gone_dropped = 0;
    PeerStats now;
    std::uint64_t peer_life = 0;  // of the session, 0 before the first
    absl::Time session_began = absl::InfinitePast();

    std::uint64_t Acknowledged() const {
      return gone_acknowledged + now.acknowledged;
    }
    std::uint64_t Dropped() const;
  };
  // What an application has seen of a peer since its session was made.
  struct Ear {
    bool up = false;
    bool was_up = false;     // since the session began
    bool restarted = false;  // since the last envelope
    std::uint64_t session = 0;
  };
  using StreamKey = std::tuple<int, int, std::uint64_t>;  // incarnation
  using LifeKey = std::pair<int, std::uint64_t>;          // incarnation
  using EarKey = std::pair<int, int>;

  // For error texts, which are made only when there is an error.
  struct Way {
    int from;
    int to;
  };

  void Fail(Way way, const std::string& text);
  Stream& StreamOf(const SimLife& self, int peer) {
    return streams_[{self.server, peer, self.incarnation}];
  }
  std::uint64_t LifeOf(Way who, std::uint64_t incarnation);
  void CheckBounds(Way who, const SessionObservation& seen);
  void CheckHearing(Way who, const SessionObservation& seen,
                    absl::Time session_began);
  void CheckRestart(Way who, const Stream& stream, std::uint64_t peer_life,
                    const SessionObservation& seen, const PeerEvent& event);
  void CheckOrder(Way who, Stream* stream, Accepted* accepted,
                  std::uint64_t life);

  const World* const world_;
  const internal::SessionConfig config_;
  const absl::Duration patience_;
  std::map<LifeKey, std::uint64_t> lives_;
  std::map<StreamKey, Stream> streams_;
  std::map<EarKey, Ear> ears_;
  std::map<EarKey, absl::Time> last_heard_;  // of the second by the first
  std::vector<std::string> violations_;
  bool quiet_ = false;
  std::uint64_t accepted_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t resent_ = 0;
  std::uint64_t memory_refused_ = 0;
  std::uint64_t waited_ = 0;
  std::uint64_t stalled_ = 0;
};

}  // namespace cluster

#endif  // CLUSTER_SIM_CHECKER_H_
