// Broadcaster: sends to all peers, and encodes once.
//
// While some peer is idle, each broadcast goes to each peer at once. While all
// are busy, broadcasts gather here in one batch, so each costs one lock and one
// encoding. The batch reaches the queues when it is full, when a peer may
// transmit, and before anything else is sent. A full batch is the same bytes in
// all queues, and so is a large payload.
//
// Thread-safe; its lock is taken before a peer's. The envelopes of one thread
// keep their order if everything else that is sent calls Close before. Where
// memory ends a call throws std::bad_alloc. A peer without memory has not
// accepted the envelope; gathered ones reach every peer once, since HandOver goes
// on where it ended.
//
//   for (int id : broadcaster.Send(view)) ...  // trouble
//   if (broadcaster.open()) broadcaster.Close();
//   peer->Send(other);

#ifndef CLUSTER_SERVER_BROADCASTER_H_
#define CLUSTER_SERVER_BROADCASTER_H_

#include <atomic>
#include <cstddef>
#include <vector>

#include "cluster/base/mutex.h"
#include "cluster/server/peer_table.h"
#include "cluster/server/reliable_peer.h"
#include "cluster/session/open_batch.h"
#include "cluster/session/session_config.h"

namespace cluster::internal {

class Broadcaster {
 public:
  // `config` is that of any of the sessions. The table outlives the broadcaster.
  Broadcaster(const SessionConfig& config,
              const PeerTable<ReliablePeer>* peers);
  Broadcaster(const Broadcaster&) = delete;
  Broadcaster& operator=(const Broadcaster&) = delete;

  // From now on a batch with this much is full.
  void SetBatchBytes(std::size_t bytes);

  // Takes the envelope for all members, and returns those that did not take it,
  // with kFull, kTooLarge or kRemoved. Does not wait.
  std::vector<int> Send(const EnvelopeView& envelope);

  // Whether broadcasts may wait here, or are about to.
  bool open() const { return open_.load(std::memory_order_acquire); }
  // Hands over all that wait here.
  void Close();
  // The same, and nothing gathers here any more.
  void Stop();

  // A peer may transmit now that could not before.
  void OnRoom();

 private:
  bool Gather(const EnvelopeView& envelope);
  void CountDirect();
  bool AllGather() const;
  void HandOver() CLUSTER_REQUIRES(mutex_);
  void HandOverClosed() CLUSTER_REQUIRES(mutex_);
  void HandOverLater() CLUSTER_REQUIRES(mutex_);

  const SessionConfig config_;
  std::atomic<std::size_t> batch_bytes_;  // written under mutex_
  const std::size_t gathered_bytes_max_;
  const PeerTable<ReliablePeer>* const peers_;

  std::atomic<int> direct_{0};  // broadcasts in a row that did not gather here

  Mutex mutex_{LockRank::kBroadcaster};
  std::atomic<bool> open_{false};     // written under mutex_
  std::atomic<bool> waiting_{false};  // batch_ has records; likewise
  bool stopped_ CLUSTER_GUARDED_BY(mutex_) = false;
  OpenBatch batch_ CLUSTER_GUARDED_BY(mutex_);
  // The former content of batch_, which closed_taken_ of the peers have. Empty,
  // except after HandOver ran out of memory.
  Batch closed_ CLUSTER_GUARDED_BY(mutex_);
  EncodeState encode_ CLUSTER_GUARDED_BY(mutex_);  // after its last record
  std::size_t closed_taken_ CLUSTER_GUARDED_BY(mutex_) = 0;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_BROADCASTER_H_
