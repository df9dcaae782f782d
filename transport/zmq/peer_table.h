// PeerTable: the peers of one transport by id. Thread-safe; the caller shares a
// peer that it finds.
//
//   if (std::shared_ptr<OutboundPeer> peer = table.Find(2)) peer->Send(...);

#ifndef CLUSTER_TRANSPORT_ZMQ_PEER_TABLE_H_
#define CLUSTER_TRANSPORT_ZMQ_PEER_TABLE_H_

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "cluster/base/mutex.h"
#include "cluster/transport/zmq/outbound_peer.h"

namespace cluster::internal {
namespace zmq_backend {

class PeerTable {
 public:
  using Peer = std::shared_ptr<OutboundPeer>;

  // Null if the table has no such peer.
  Peer Find(int id) const {
    ReaderLock lock(&mutex_);
    const auto found = peers_.find(id);
    return found == peers_.end() ? nullptr : found->second;
  }

  // The id is not in the table.
  void Insert(Peer peer) {
    WriterLock lock(&mutex_);
    const int id = peer->id();
    peers_.emplace(id, std::move(peer));
  }

  // Takes the peer out; null if the table has no such peer.
  Peer Remove(int id) {
    WriterLock lock(&mutex_);
    const auto found = peers_.find(id);
    if (found == peers_.end()) return nullptr;
    Peer peer = std::move(found->second);
    peers_.erase(found);
    return peer;
  }

  std::vector<Peer> All() const {
    ReaderLock lock(&mutex_);
    std::vector<Peer> all;
    for (const auto& [id, peer] : peers_) all.push_back(peer);
    return all;
  }

 private:
  mutable SharedMutex mutex_;
  std::map<int, Peer> peers_ CLUSTER_GUARDED_BY(mutex_);
};

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_PEER_TABLE_H_
