// FrameRouter: takes what the transport calls to the peer that it is for.
//
// What it is: the server's TransportHandler. A frame goes to the peer that it
// names as its sender, once its header and checksums are right and, with
// security, the connection has proved to be that sender; what cannot be laid to
// a peer's account is counted in Rejections.
//
// Threads: the transport's. Ownership: everything is borrowed. Errors:
// counters, and FrameVerdict.

#ifndef CLUSTER_SERVER_FRAME_ROUTER_H_
#define CLUSTER_SERVER_FRAME_ROUTER_H_

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "cluster/server/best_effort_peer.h"
#include "cluster/server/broadcaster.h"
#include "cluster/server/callbacks.h"
#include "cluster/server/inbox.h"
#include "cluster/server/peer_table.h"
#include "cluster/server/rejections.h"
#include "cluster/server/reliable_peer.h"
#include "cluster/transport/transport.h"

namespace cluster {

class FrameRouter : public TransportHandler {
 public:
  // `secured`: take nothing from a connection without an identity. `codec` and
  // `next_id` are for best effort: how messages are decoded, and what a foreign
  // one without an id gets.
  FrameRouter(int self_id, Delivery delivery, bool secured, const Codec* codec,
              std::function<MessageId()> next_id, PeerTable<Peer>* peers,
              Broadcaster* broadcaster, Inbox* inbox, Callbacks* callbacks,
              Rejections* rejections);

  FrameVerdict OnFrame(ReceivedFrame frame) override;
  void OnDrained() override;
  void OnWritable(int peer) override;
  void OnConnected(int peer, std::uint64_t generation) override;
  void OnDisconnected(int peer, std::uint64_t generation,
                      absl::string_view reason) override;
  void OnRejected(Rejection rejection) override;

 private:
  // As many as are usual at once, so that draining allocates nothing.
  using Undrained = absl::InlinedVector<Peer*, 16>;

  FrameVerdict OnSessionFrame(ReceivedFrame frame);
  FrameVerdict OnMessage(const ReceivedFrame& frame);
  // OnDrained is to be passed on to it.
  void DrainLater(Peer* peer);
  FrameVerdict Refuse(RefusalReason reason, FrameVerdict verdict);
  // Whether a connection of this identity may speak for `sender`; if not, that
  // is counted and reported.
  bool MaySpeakFor(int sender, const absl::optional<int>& identity);
  // After what may have let a peer transmit.
  void OnRoom();
  void Report(RefusalReason reason, int peer, absl::string_view text);

  const int self_id_;
  const Delivery delivery_;
  const bool secured_;
  const Codec* const codec_;
  const std::function<MessageId()> next_id_;
  PeerTable<Peer>* const peers_;
  Broadcaster* const broadcaster_;  // null: best effort
  Inbox* const inbox_;
  Callbacks* const callbacks_;
  Rejections* const rejections_;

  std::mutex mutex_;
  Undrained undrained_;  // guarded by mutex_
  std::atomic<bool> any_undrained_{false};
};

}  // namespace cluster

#endif  // CLUSTER_SERVER_FRAME_ROUTER_H_
