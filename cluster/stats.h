// ServerStats: what a server counted since it was made, as Server::Stats
// returns it.
//
// Every envelope that Send accepted for a peer is in exactly one place, at any
// moment:
//
//   accepted == acknowledged + queued + in_flight + sum of dropped
//
// with the reliable delivery, and so is every one that a server accepted for
// itself, with either; and every frame that was refused is counted by its
// reason, as is every connection that the transport turned away. Threads and
// ownership: a value.
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

namespace cluster {

// Why an accepted envelope was dropped by its sender.
enum class DropReason {
  kOverflow,     // the queue was full and overflow is drop_oldest
  kPeerRestart,  // its fate was unknown when the peer began a new session
  kRemoved,      // the peer was removed
  kTooLarge,     // the peer takes smaller payloads than this server
  kStopped,      // Stop, before it was acknowledged
  kUnsupported,  // it has a group or a correlation, which the peer's library
                 // does not know
};
inline constexpr int kDropReasons = 6;
const char* DropReasonName(DropReason reason);

// Why a frame that arrived was not taken.
enum class RefusalReason {
  kMalformed,         // no frame of this protocol: truncated, magic, version,
                      // checksum, field
  kUnknownSender,     // its sender is not a member
  kWrongDestination,  // it is meant for another server
  kWrongIdentity,     // its connection proved to be somebody else
  kWrongCluster,      // its hello names another cluster
  kUnknownSession,    // of no session, or of an earlier one
  kDuplicate,         // it has been here
  kGap,               // a frame before it is missing
  kImpossibleAck,     // it acknowledges what was never sent
  kOverrun,           // more than the window that this server granted
  kBadRecord,         // its checksum is right and its records are not
  kInboxFull,         // best effort: Receive does not keep up
  kUnauthenticated,   // its connection proved nothing, or not enough
  kSilent,            // a connection said nothing, or not enough, in time
  kVersion,           // it speaks no version of the protocol that this server
                      // does, or another one than its session
  kStalled,           // a large payload stood still while others waited for
                      // the room that it has
};
inline constexpr int kRefusalReasons = 16;
const char* RefusalReasonName(RefusalReason reason);

struct PeerStats {
  int peer = 0;
  bool up = false;
  std::uint64_t sessions = 0;  // begun so far
  // Of a frame and its acknowledgement, smoothed; zero if none yet.
  absl::Duration rtt;
  // Connections that the transport had lost sight of: it reported nothing of the
  // peer for long, and was connected at once when it was told to dial anew. More
  // than 0 is a defect of the transport.
  std::uint64_t redials_by_watchdog = 0;
  // The latest refusal or loss of the peer, for people.
  std::string last_trouble;

  // Envelopes to the peer.
  std::uint64_t accepted = 0;
  // Consumed by the peer; best effort: given to the transport.
  std::uint64_t acknowledged = 0;
  std::uint64_t queued = 0;
  std::uint64_t in_flight = 0;  // transmitted, not known to be consumed
  std::array<std::uint64_t, kDropReasons> dropped{};
  std::uint64_t queued_bytes = 0;
  // Of in_flight, as charged to the peer's window.
  std::uint64_t unconsumed_bytes = 0;
  // How often an envelope was not taken because of memory_bytes_max; one that
  // waits counts each time that it is tried.
  std::uint64_t memory_refused = 0;
  // Of memory_bytes_max, to and from the peer, without large payloads that come
  // in.
  std::uint64_t held_bytes = 0;

  std::uint64_t frames_sent = 0;
  std::uint64_t frames_retransmitted = 0;
  std::uint64_t bytes_sent = 0;  // of all frames

  // From the peer.
  std::uint64_t received = 0;  // envelopes, as their frames arrived
  std::uint64_t frames_received = 0;
  std::uint64_t bytes_received = 0;
  std::array<std::uint64_t, kRefusalReasons> refused{};

  // 0 for a reason that is none.
  std::uint64_t Dropped(DropReason reason) const {
    const auto index = static_cast<std::size_t>(reason);
    return index < dropped.size() ? dropped[index] : 0;
  }
  std::uint64_t Refused(RefusalReason reason) const {
    const auto index = static_cast<std::size_t>(reason);
    return index < refused.size() ? refused[index] : 0;
  }
};

struct ServerStats {
  static constexpr std::size_t kRemovedKept = 64;

  // By id: the members, and of those that were removed the last kRemovedKept.
  std::vector<PeerStats> peers;
  // The sums of those that were removed earlier.
  PeerStats removed_earlier;
  // Envelopes that Receive returned or a handler took.
  std::uint64_t delivered = 0;
  // Of the envelopes to the own id: acknowledged are those that Receive
  // returned or whose handler has returned; what Stop dropped is kStopped.
  PeerStats own;
  std::uint64_t self_sent = 0;  // own.accepted
  // Received, not delivered: since Stop, what never will be. With sessions its
  // senders have it in flight: a next life gets it, or they count it as
  // dropped.
  std::uint64_t inbox_bytes = 0;
  // Of memory_bytes_max: all peers' held_bytes, and the large payloads that come
  // in, until they are taken.
  std::uint64_t held_bytes = 0;
  std::uint64_t reassembly_bytes = 0;  // the latter alone
  // Frames and connections that could not be laid to a peer's account.
  std::array<std::uint64_t, kRefusalReasons> refused{};

  std::uint64_t Refused(RefusalReason reason) const {
    const auto index = static_cast<std::size_t>(reason);
    return index < refused.size() ? refused[index] : 0;
  }
  const PeerStats* Peer(int id) const;  // null if unknown
};

// "peer 2: up, 10 accepted, 10 acknowledged, ..." on one line; zero counters
// are left out.
std::ostream& operator<<(std::ostream& out, const PeerStats& stats);

}  // namespace cluster

#endif  // CLUSTER_STATS_H_
