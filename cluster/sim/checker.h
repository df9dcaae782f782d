// Checker: checks that servers keep the promises of the reliable delivery.
//
// Servers report to it what they accepted, what applications took and the state
// of each session. It checks:
// - order, exactly once, and content of each lane;
// - that a missing envelope was reported as dropped, and an acknowledged one
//   was taken;
// - that OnFate hears each fate once, and the truth;
// - that each call ends once, with an answer only to a request that was taken, and
//   with kUnavailable only if the request is never taken;
// - the counts, the bounds of memory, and the policy for restarts;
// - the order of events, and that no silent or deaf peer is up, nor one whose
//   application stands still;
// - that an absent peer is down in time, and that none goes up, down and up again at
//   once;
// - that no two lives have one incarnation.
//
// Use it from one thread. It keeps the texts of the first violations.
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

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cluster/envelope.h"
#include "cluster/fate.h"
#include "cluster/peer_event.h"
#include "cluster/session/memory_budget.h"
#include "cluster/session/session_config.h"
#include "cluster/sim/world.h"
#include "cluster/stats.h"

namespace cluster {

// One life of a server. Peers see the incarnation only; the checker also knows
// the number, from 1.
struct SimLife {
  int server = 0;
  std::uint64_t life = 0;
  std::uint64_t incarnation = 0;
};

// The memory of a server for all its peers, after any call into a session.
struct MemoryObservation {
  std::size_t sending;   // queued, or transmitted and not consumed
  std::size_t received;  // and not yet taken by the application
  std::size_t reassembly;
  bool waiting;  // a large payload waits for room
};

// The effect of one call into a session.
struct SessionObservation {
  PeerStats stats;                  // after the call
  std::vector<PeerEvent> events;    // raised by the call
  std::uint64_t hello_incarnation;  // of the hello that came in, else 0
  absl::Time last_frame;            // when the peer's last frame came
  std::size_t inbox_bytes;          // from the peer, not taken yet
  bool learns_standstill;           // its session has kFeatureStandstill
};

class Checker {
 public:
  // All servers have `config`. A server must notice a silent peer within
  // `patience`.
  Checker(const World* world, const internal::SessionConfig& config,
          absl::Duration patience);

  // Call it when a life begins.
  void OnLife(const SimLife& self);
  // Its application begins to stand still, or goes on.
  void OnStandstill(const SimLife& self, bool still);

  // --- the sender's side ---

  // The session to `peer` was made; its counters are zero.
  void OnSessionMade(const SimLife& self, int peer);
  // It is gone; its last observation has the final counters.
  void OnSessionGone(const SimLife& self, int peer);
  // `fate`: OnFate will hear what becomes of it.
  void OnAccepted(const SimLife& self, int peer, const Envelope& envelope,
                  bool fate = false);
  void OnFate(const SimLife& self, const Fate& fate);
  // The envelope with that sequence, which was accepted, is a call's request.
  void OnCall(const SimLife& self, int peer, std::uint64_t sequence);
  void OnCallEnded(const SimLife& self, int peer, std::uint64_t sequence,
                   const absl::Status& status);
  // The server has ended all calls of its life.
  void OnCallsGone(const SimLife& self);
  // After every call into the session.
  void OnSession(const SimLife& self, int peer, const SessionObservation& seen);

  // After every call into any session of the server. `parts` are the bounds.
  void OnMemory(const SimLife& self, const MemoryObservation& seen,
                const internal::MemoryParts& parts);

  // --- the receiver's side, in the application's order ---

  void OnTaken(const SimLife& self, int peer, std::uint64_t session,
               const EnvelopeView& envelope);
  void OnEvent(const SimLife& self, int peer, const PeerEvent& event);

  // --- at the end, when the network is healed and idle ---

  // From now on a session that goes down or restarts is a violation.
  void ExpectQuiet() { quiet_ = true; }
  // Checks that all that this life accepted for `peer` is acknowledged or
  // dropped.
  void OnSettled(const SimLife& self, int peer);

  void Fail(const std::string& text);
  bool ok() const { return violations_.empty(); }
  const std::vector<std::string>& violations() const { return violations_; }
  std::uint64_t accepted() const { return accepted_; }
  std::uint64_t taken() const { return taken_; }
  std::uint64_t dropped() const;
  std::uint64_t dropped(DropReason reason) const;
  std::uint64_t resends_superseded() const { return resends_superseded_; }
  // Calls by the code of their ends.
  std::uint64_t calls(absl::StatusCode code) const {
    const auto found = calls_.find(code);
    return found == calls_.end() ? 0 : found->second;
  }
  std::uint64_t resent() const { return resent_; }
  // How many observations showed an envelope that memory_bytes_max refused, a
  // large payload that waited for room, and one that stalled.
  std::uint64_t memory_refused() const { return memory_refused_; }
  std::uint64_t waited() const { return waited_; }
  std::uint64_t stalled() const { return stalled_; }
  // How often an application heard that a peer's stands still.
  std::uint64_t told_still() const { return told_still_; }

 private:
  struct Accepted {
    Envelope envelope;  // with the payload's digest, so that all can be kept
    std::uint64_t position = 0;  // in its lane, from 1
    bool taken = false;          // in some life of the receiver
    bool fate_due = false;
    bool call = false;   // it waits for an answer
    bool never = false;  // a call has promised that it is not taken
  };
  // From one life of a sender to one receiver.
  struct Stream {
    std::unordered_map<std::uint64_t, Accepted> accepted;  // by id sequence
    std::array<std::uint64_t, kLanes> positions{};
    std::array<std::uint64_t, kLanes> furthest{};  // taken in any life
    std::map<std::uint64_t, std::array<std::uint64_t, kLanes>> last;  // by life
    std::uint64_t taken = 0;
    std::uint64_t skipped = 0;
    std::uint64_t fates_due = 0;
    std::uint64_t calls = 0;  // that wait
    // The sums over earlier sessions, and the present session's counters.
    std::uint64_t gone_acknowledged = 0;
    std::array<std::uint64_t, kDropReasons> gone_dropped{};
    PeerStats now;
    std::uint64_t peer_life = 0;  // in this session; 0 before the first
    absl::Time session_began = absl::InfinitePast();
    // Since when the peer is awaited; infinite once it is up, or told as down.
    absl::Time awaited_since = absl::InfiniteFuture();
    absl::Time up_at = absl::InfinitePast();    // the last time
    absl::Time down_at = absl::InfinitePast();  // after that

    std::uint64_t Acknowledged() const {
      return gone_acknowledged + now.acknowledged;
    }
    std::uint64_t Dropped() const;
  };
  // The events of a peer that an application saw since the session was made.
  struct Ear {
    bool up = false;
    bool was_up = false;     // since the session began
    bool restarted = false;  // since the last envelope
    int downs = 0;           // since it was up
    std::uint64_t session = 0;
  };
  using StreamKey = std::tuple<int, int, std::uint64_t>;  // incarnation
  using LifeKey = std::pair<int, std::uint64_t>;          // incarnation
  using EarKey = std::pair<int, int>;

  // Names a direction in error texts, which are made only for errors.
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
  void CheckNews(Way who, Stream* stream, const SessionObservation& seen);
  void CheckHearing(Way who, const SessionObservation& seen,
                    absl::Time session_began);
  void CheckStandstill(Way who, const SessionObservation& seen,
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
  std::map<EarKey, absl::Time> last_heard_;  // when the first heard the second
  struct Standstill {
    absl::Time since = absl::InfiniteFuture();  // infinite: it does not
    bool ever = false;
  };
  std::map<int, Standstill> standstills_;  // by server
  std::uint64_t told_still_ = 0;
  std::vector<std::string> violations_;
  bool quiet_ = false;
  std::uint64_t accepted_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t resent_ = 0;
  std::uint64_t resends_superseded_ = 0;
  std::map<absl::StatusCode, std::uint64_t> calls_;
  std::uint64_t memory_refused_ = 0;
  std::uint64_t waited_ = 0;
  std::uint64_t stalled_ = 0;
};

}  // namespace cluster

#endif  // CLUSTER_SIM_CHECKER_H_
