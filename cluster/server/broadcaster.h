// Broadcaster: what goes to all peers, encoded once.
//
// What it is: the way of a broadcast to the sessions. While all peers are busy,
// so that an envelope would only wait in each one's queue, broadcasts gather
// here instead, in one batch, and reach the queues together: when it is full,
// when a peer may transmit, and before anything else is sent. So each costs one
// lock and one encoding, however many peers there are, and a full batch lies in
// all the queues as the same bytes. While some peer is idle, each broadcast
// goes to each peer at once. A large payload is encoded once in any case. What
// it is not: a queue; it holds less than a frame, and only while each peer's
// queue has room for it.
//
// Order: of one thread's envelopes, as if each broadcast had gone to each peer
// at once, as long as everything else that is sent says Close before.
//
// Threads: safe. Its lock is taken before a peer's. Errors: who did not take
// it. Where memory ends a call throws std::bad_alloc; an envelope that was not
// gathered was not accepted by those who had none, and what was gathered before
// reaches every peer once: where HandOver ended, the next one goes on.
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

  // Takes the envelope for all members, and returns those that did not take it,
  // with kFull, kTooLarge or kRemoved. Does not wait.
  std::vector<int> Send(const EnvelopeView& envelope);

  // Whether broadcasts may be waiting here, or are about to.
  bool open() const { return open_.load(std::memory_order_acquire); }
  // Hands over what waits here.
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
  const std::size_t batch_bytes_;
  const std::size_t gathered_bytes_max_;
  const PeerTable<ReliablePeer>* const peers_;

  std::atomic<int> direct_{0};  // broadcasts in a row that did not gather here

  Mutex mutex_{LockRank::kBroadcaster};
  std::atomic<bool> open_{false};     // written under mutex_
  std::atomic<bool> waiting_{false};  // batch_ has records; likewise
  bool stopped_ CLUSTER_GUARDED_BY(mutex_) = false;
  OpenBatch batch_ CLUSTER_GUARDED_BY(mutex_);
  // The former content of batch_, on its way to the peers, of which closed_taken_
  // have it. Empty, except after HandOver ran out of memory.
  Batch closed_ CLUSTER_GUARDED_BY(mutex_);
  EncodeState encode_ CLUSTER_GUARDED_BY(mutex_);  // after its last record
  std::size_t closed_taken_ CLUSTER_GUARDED_BY(mutex_) = 0;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_BROADCASTER_H_
