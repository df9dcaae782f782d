// Peer: one other member, as the server's shell sees it, whatever the delivery.
//
// The interface of ReliablePeer and BestEffortPeer. A peer object lives as long
// as its server, so that nobody who found it has to ask whether it is still
// there; but it may serve another member by then. So each call names the member
// that it is for, and does nothing for one that is not served any more.
//
// Threads: safe; each peer has one lock, and nobody holds two. Errors:
// SendOutcome. Where memory ends Send throws std::bad_alloc, and the envelope was
// not accepted.

#ifndef CLUSTER_SERVER_PEER_H_
#define CLUSTER_SERVER_PEER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cluster/envelope.h"
#include "cluster/session/link.h"
#include "cluster/stats.h"

namespace cluster {

enum class SendOutcome {
  kAccepted,
  kFull,      // no room now
  kNoMemory,  // the same for memory_bytes_max, with all peers together
  kTooLarge,  // over payload_bytes_max, this server's or the peer's, or
              // without a session over what a transport carries
  kRemoved,   // no member any more
};

// All that a peer had accepted at one moment.
struct FlushMark {
  std::uint64_t link =
      0;  // counts the links; what an earlier one had is settled
  SendMark mark{};
};

class Peer {
 public:
  static constexpr int kNobody = -1;

  explicit Peer(int id) : id_(id) {}
  virtual ~Peer() = default;

  // The member that it serves; kNobody if none. Changed under the lock of the
  // peer.
  int id() const { return id_.load(std::memory_order_relaxed); }

  // Never waits.
  virtual SendOutcome Send(int id, const EnvelopeView& envelope) = 0;
  // Waits until Send of this envelope may answer something else than kFull or
  // kNoMemory; false at the deadline.
  virtual bool WaitForRoom(int id, const EnvelopeView& envelope,
                           std::chrono::steady_clock::time_point deadline) = 0;
  // What was accepted so far, and asks the peer to tell soon that it has
  // consumed it.
  virtual FlushMark BeginFlush(int id) = 0;
  // Waits until all of it is acknowledged or dropped; false at the deadline.
  virtual bool WaitFlushed(const FlushMark& mark,
                           std::chrono::steady_clock::time_point deadline) = 0;
  // Waits until all that was accepted is with the peer, unless the peer was
  // there and went; for a shutdown.
  virtual bool WaitReceived(std::chrono::steady_clock::time_point deadline) = 0;

  // The server starts, as this life of its id; before it, nothing is sent.
  virtual void Begin(std::uint64_t incarnation) = 0;
  // The transport is there and the address known: dial.
  virtual absl::Status Connect(const std::string& address) = 0;
  // Says goodbye and drops the rest, counted as kStopped.
  virtual void Leave() = 0;
  // No member any more: drops all, reports kRemoved, serves nobody. Returns the
  // counters of the membership, and of those before that Join was told.
  virtual PeerStats Remove() = 0;
  // Serves this member from now on, which had these counters before. It serves
  // nobody, or was just made for it.
  virtual void Join(int id, const PeerStats& before) = 0;

  // From the transport.
  virtual void OnConnected(int id, std::uint64_t generation) = 0;
  virtual void OnDisconnected(int id, std::uint64_t generation,
                              absl::string_view reason) = 0;
  virtual void OnWritable(int id) = 0;
  // The input is drained: acknowledge, and send what was waiting for an
  // acknowledgement.
  virtual void OnDrained() = 0;

  // True if it should be called again soon rather than at leisure.
  virtual bool Tick(absl::Time now) = 0;

  virtual PeerStats Stats() const = 0;

 protected:
  void Serve(int id) { id_.store(id, std::memory_order_relaxed); }

 private:
  std::atomic<int> id_;
};

}  // namespace cluster

#endif  // CLUSTER_SERVER_PEER_H_
