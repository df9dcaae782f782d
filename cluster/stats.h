// ServerStats: a server's counters since it was made, from Server::Stats.
//
// At any moment every envelope that Send accepted for a peer is in exactly one
// place:
//
//   accepted == acknowledged + queued + in_flight + sum of dropped
//
// That holds for the reliable delivery, and for envelopes to the own id with
// either delivery. Every refused frame and connection is counted by its reason.
// All are plain values.
//
//   for (const cluster::PeerStats& peer : server->Stats().peers)
//     std::cout << peer << "\n";

#ifndef CLUSTER_STATS_H_
#define CLUSTER_STATS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cluster/export.h"
#include "cluster/transport/refusal_reason.h"

namespace cluster {

// The reasons for which a sender drops an accepted envelope, and their names
// for people.
#define CLUSTER_DROP_REASONS(X)                                                  \
  /* The queue was full and overflow is drop_oldest. */                          \
  X(kOverflow, "overflow")                                                       \
  /* Its fate was unknown when the peer began a new session. */                  \
  X(kPeerRestart, "peer restart")                                                \
  /* The peer was removed. */                                                    \
  X(kRemoved, "removed")                                                         \
  /* The peer takes smaller payloads than this server. */                        \
  X(kTooLarge, "too large")                                                      \
  /* Stop, before it was acknowledged. */                                        \
  X(kStopped, "stopped")                                                         \
  /* The peer's library does not know a group or a correlation, which it has. */ \
  X(kUnsupported, "unsupported")                                                 \
  /* SendOptions::expires_after had passed before it was transmitted. */         \
  X(kExpired, "expired")                                                         \
  /* SendOptions::replaces: a newer one took its place in the queue. */          \
  X(kSuperseded, "superseded")                                                   \
  /* Server::Withdraw, before it was transmitted. */                             \
  X(kWithdrawn, "withdrawn")

enum class DropReason {
#define CLUSTER_ENUMERATOR(reason, name) reason,
  CLUSTER_DROP_REASONS(CLUSTER_ENUMERATOR)
#undef CLUSTER_ENUMERATOR
};
inline constexpr int kDropReasons = 0
#define CLUSTER_ONE_MORE(reason, name) +1
    CLUSTER_DROP_REASONS(CLUSTER_ONE_MORE);
#undef CLUSTER_ONE_MORE
CLUSTER_EXPORT const char* DropReasonName(DropReason reason);

// kSum is a counter: it only grows, and a peer's lives add up. kNow is a gauge:
// the present value, of the present life.
enum class StatKind { kSum, kNow };

// The figures of a peer. The text is the name in operator<<. Bytes are bytes, all
// others are numbers of envelopes unless they say frames.
#define CLUSTER_PEER_COUNTERS(X)                                                 \
  /* Sessions begun so far. */                                                   \
  X(sessions, kSum, "sessions")                                                  \
  /* Envelopes to the peer. */                                                   \
  X(accepted, kSum, "accepted")                                                  \
  /* Consumed by the peer; best effort: given to the transport. */               \
  X(acknowledged, kSum, "acknowledged")                                          \
  /* Accepted and not yet transmitted. */                                        \
  X(queued, kNow, "queued")                                                      \
  /* Transmitted, not known to be consumed. */                                   \
  X(in_flight, kNow, "in flight")                                                \
  /* Of queued. */                                                               \
  X(queued_bytes, kNow, "bytes queued")                                          \
  /* Of in_flight, as charged to the peer's window. */                           \
  X(unconsumed_bytes, kNow, "bytes unconsumed")                                  \
  /* Tries to send that found no room in memory_bytes_max. */                    \
  X(memory_refused, kSum, "refused (memory_bytes_max)")                          \
  /* Of memory_bytes_max, both ways, without large payloads that come in. */     \
  X(held_bytes, kNow, "bytes held")                                              \
  /* Of all kinds, to the peer. */                                               \
  X(frames_sent, kSum, "frames sent")                                            \
  X(frames_retransmitted, kSum, "frames sent again")                             \
  X(bytes_sent, kSum, "bytes sent")                                              \
  /* Envelopes from the peer, as their frames arrived. */                        \
  X(received, kSum, "received")                                                  \
  X(frames_received, kSum, "frames received")                                    \
  X(bytes_received, kSum, "bytes received")                                      \
  /* Connections that the transport lost sight of: more than 0 is its defect. */ \
  X(redials_by_watchdog, kSum, "redials by the watchdog")                        \
  /* Reports, of either side, that two processes have one id: its or ours. */    \
  X(two_processes, kSum, "reports of two processes with one id")

// How many durations were at most so long each. A value; adding needs no memory.
struct DurationHistogram {
  // In microseconds. The last place of `counts` has the longer ones.
  static constexpr std::array<std::int64_t, 16> kBounds = {
      100,   250,    500,    1000,   2500,    5000,    10000,   25000,
      50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};

  std::array<std::uint64_t, kBounds.size() + 1> counts{};
  absl::Duration sum;

  void Add(absl::Duration duration) {
    const std::int64_t microseconds = absl::ToInt64Microseconds(duration);
    std::size_t place = 0;
    while (place < kBounds.size() && microseconds > kBounds[place]) ++place;
    ++counts[place];
    sum += duration;
  }
  void Add(const DurationHistogram& more) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += more.counts[i];
    sum += more.sum;
  }
  std::uint64_t count() const {
    std::uint64_t all = 0;
    for (const std::uint64_t some : counts) all += some;
    return all;
  }
};

struct PeerStats {
  int peer = 0;
  bool up = false;
  // When it came up or went down last; while it has done neither, when this server
  // began to wait for it. InfinitePast before the start.
  absl::Time since = absl::InfinitePast();
  // Where this server dials it; "" if that is not known. Empty for the own id
  // (Server::Address).
  std::string address;
  // The life of the peer that has the session, or had the last one. 0: none had,
  // or best effort.
  std::uint64_t incarnation = 0;
  // Of the wire format, in the present session; 0: there is none.
  int wire_version = 0;
  // From a frame to its acknowledgement, smoothed; zero if not measured yet. An
  // idle session measures every ten seconds. Best effort never does.
  absl::Duration rtt;
  // All that were measured, and the last one.
  DurationHistogram round_trips;
  absl::Duration last_round_trip;
  // How long the oldest envelope of each batch waited to be transmitted. The clock
  // is that of the server's ticks and frames: up to 20 ms too much.
  DurationHistogram queue_times;
  // The same of the oldest envelope that waits now, of the lane where it is oldest.
  absl::Duration lag;
  // The latest refusal or loss of the peer, for people, and when it was. None
  // while it is up and nothing has happened since: "" and InfinitePast.
  std::string last_trouble;
  absl::Time last_trouble_at = absl::InfinitePast();
  // When the first of its certificates expires, or the last one has expired.
  // InfiniteFuture where keys do not.
  absl::Time certificate_expires = absl::InfiniteFuture();

#define CLUSTER_MEMBER(name, kind, text) std::uint64_t name = 0;
  CLUSTER_PEER_COUNTERS(CLUSTER_MEMBER)
#undef CLUSTER_MEMBER
  std::array<std::uint64_t, kDropReasons> dropped{};     // envelopes
  std::array<std::uint64_t, kRefusalReasons> refused{};  // frames

  // 0 for an unknown reason.
  std::uint64_t Dropped(DropReason reason) const {
    const auto index = static_cast<std::size_t>(reason);
    return index < dropped.size() ? dropped[index] : 0;
  }
  std::uint64_t Refused(RefusalReason reason) const {
    const auto index = static_cast<std::size_t>(reason);
    return index < refused.size() ? refused[index] : 0;
  }
};

// One of CLUSTER_PEER_COUNTERS.
struct PeerFigure {
  const char* name;  // of the member
  const char* text;
  StatKind kind;
  std::uint64_t PeerStats::*value;
};
inline constexpr PeerFigure kPeerFigures[] = {
#define CLUSTER_FIGURE(name, kind, text) \
  {#name, text, StatKind::kind, &PeerStats::name},
    CLUSTER_PEER_COUNTERS(CLUSTER_FIGURE)
#undef CLUSTER_FIGURE
};

// Adds the counters that add up over the lives of a peer.
CLUSTER_EXPORT void AddCounters(const PeerStats& more, PeerStats* total);

// Counters, but for inbox_bytes, held_bytes, reassembly_bytes and kept_bytes, which
// are gauges.
struct ServerStats {
  static constexpr std::size_t kRemovedKept = 64;

  // By id: the members, and of those that were removed the last kRemovedKept.
  std::vector<PeerStats> peers;
  // The sums of those that were removed earlier.
  PeerStats removed_earlier;
  // Envelopes that Receive returned or a handler took.
  std::uint64_t delivered = 0;
  // Calls of a handler that took longer than slow_handler_ms, as the server's ticks
  // saw them. A call that takes 100 ms more is always among them.
  std::uint64_t slow_handlers = 0;
  // How often the application stood still for application_timeout_ms.
  std::uint64_t application_stalls = 0;
  // Envelopes to the own id. Acknowledged means that Receive returned it or its
  // handler has returned; Stop drops the rest as kStopped.
  PeerStats own;
  std::uint64_t self_sent = 0;  // own.accepted
  // Bytes received and not delivered; after Stop they never will be. With
  // sessions their senders have them in flight: a next life gets them, or the
  // senders count them as dropped.
  std::uint64_t inbox_bytes = 0;
  // Used of memory_bytes_max: all peers' held_bytes, and large payloads until
  // the application has taken them.
  std::uint64_t held_bytes = 0;
  std::uint64_t reassembly_bytes = 0;  // the latter alone, and what is kept
  // Of reassembly_bytes, the frames of payloads that Keep did not copy.
  std::uint64_t kept_bytes = 0;
  // Refused frames and connections that belong to no peer.
  std::array<std::uint64_t, kRefusalReasons> refused{};

  std::uint64_t Refused(RefusalReason reason) const {
    const auto index = static_cast<std::size_t>(reason);
    return index < refused.size() ? refused[index] : 0;
  }
  CLUSTER_EXPORT const PeerStats* Peer(int id) const;  // null if unknown
};

// "peer 2: up, 10 accepted, 10 acknowledged, ..." on one line; zero counters
// are left out.
CLUSTER_EXPORT std::ostream& operator<<(std::ostream& out,
                                        const PeerStats& stats);

}  // namespace cluster

#endif  // CLUSTER_STATS_H_
