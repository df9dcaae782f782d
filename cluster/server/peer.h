// The base of both kinds of peer: the member that a peer object serves.
//
// A peer object lives as long as its server, so a caller may use it long after
// it found it. But it may serve another member by then. So each call names the
// member that it is for, and does nothing for one that is not served any more.
//
// Thread-safe; each peer has one lock, and nobody holds two.

#ifndef CLUSTER_SERVER_PEER_H_
#define CLUSTER_SERVER_PEER_H_

#include <atomic>
#include <cstdint>

#include "cluster/session/send_queue.h"
#include "cluster/stats.h"

namespace cluster::internal {

class Peer {
 public:
  static constexpr int kNobody = -1;

  explicit Peer(int id) : id_(id) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // The member that it serves; kNobody if there is none. Changed under the lock
  // of the peer.
  int id() const { return id_.load(std::memory_order_relaxed); }

 protected:
  ~Peer() = default;
  void Serve(int id) { id_.store(id, std::memory_order_relaxed); }

 private:
  std::atomic<int> id_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_PEER_H_
