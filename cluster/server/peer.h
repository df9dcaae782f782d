// The base of both kinds of peer: the member that a peer object serves, and
// the connection to it.
//
// A peer object lives as long as its server, so a caller may use it long after
// it found it. But it may serve another member by then. So each call names the
// member that it is for, and does nothing for one that is not served any more.
//
// Each Connect has a generation, and the transport's callbacks repeat it. A
// callback of an earlier Connect may come late, after the member was removed or
// dialled anew. It is ignored: it would leave the member unconnected for good.
//
// Thread-safe; each peer has one lock, and no thread holds two.

#ifndef CLUSTER_SERVER_PEER_H_
#define CLUSTER_SERVER_PEER_H_

#include <atomic>
#include <cstdint>

#include "cluster/session/send_queue.h"
#include "cluster/stats.h"

namespace cluster::internal {

// A Send's options but for its timeout (SendOptions, server.h).
struct SendConditions {
  bool only_if_up = false;
  RecordOptions record;
  PayloadSource payload;
};

class Peer {
 public:
  static constexpr int kNobody = -1;

  Peer() = default;
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // The member that it serves; kNobody if there is none. Changed under the lock
  // of the peer.
  int id() const { return id_.load(std::memory_order_relaxed); }

  // The name for the next Connect.
  static std::uint64_t DrawGeneration() {
    return drawn_.fetch_add(1, std::memory_order_relaxed) + 1;
  }

 protected:
  ~Peer() = default;

  // Call these under the lock of the peer.

  // No generation that was drawn counts any more, whichever object drew it:
  // another object may have served this member before.
  void Serve(int id) {
    id_.store(id, std::memory_order_relaxed);
    oldest_ = drawn_.load(std::memory_order_relaxed) + 1;
  }
  // A callback came, or Connect succeeded. False: it is of an earlier
  // generation than one that was heard, or of an earlier membership.
  bool Hear(std::uint64_t generation) {
    if (generation < oldest_) return false;
    oldest_ = generation;
    return true;
  }
  // Whether a callback of this generation, or of a later one, was heard.
  bool Heard(std::uint64_t generation) const { return oldest_ >= generation; }

 private:
  static inline std::atomic<std::uint64_t> drawn_{0};

  std::atomic<int> id_{kNobody};
  std::uint64_t oldest_ = 0;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_PEER_H_
