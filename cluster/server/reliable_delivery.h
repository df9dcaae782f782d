// Sessions with all members: a ReliablePeer for each, and a broadcaster to all.
//
// A frame goes to the peer that it names as its sender. Before that its header
// and checksums must be right, and its connection may speak for that sender.
// Threads and errors are as PeerDelivery says.

#ifndef CLUSTER_SERVER_RELIABLE_DELIVERY_H_
#define CLUSTER_SERVER_RELIABLE_DELIVERY_H_

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "cluster/base/mutex.h"
#include "cluster/codec/frame_header.h"
#include "cluster/server/broadcaster.h"
#include "cluster/server/peer_delivery.h"
#include "cluster/server/reliable_peer.h"

namespace cluster::internal {

class ReliableDelivery final : public DeliveryTo<ReliablePeer> {
 public:
  ReliableDelivery(const Config& config, const DeliveryParts& parts);
  // Ticks call what is only here.
  ~ReliableDelivery() override { StopTicking(); }

  void Add(int id, const PeerStats& before) override;
  void TakeNoMore(int id) override;
  PeerStats Remove(int id) override;
  void AddStats(ServerStats* stats) const override;

  SendOutcome Send(int id, const EnvelopeView& envelope) override;
  SendOutcome SendWith(int id, const EnvelopeView& envelope,
                       const SendConditions& conditions) override;
  std::vector<int> Broadcast(const EnvelopeView& envelope) override;
  KeptRoom RoomToKeep(std::size_t bytes, bool claimed) override {
    return memory_->Keep(bytes, claimed);
  }
  bool scatters() const override { return Scatters(*session_.codec); }
  bool acknowledges() const override { return true; }
  std::vector<int> Flush(
      absl::optional<int> id,
      std::chrono::steady_clock::time_point deadline) override;

  std::vector<int> WithoutLiveTimes() const override;
  void Take(const Config& config) override;

  void Begin(std::uint64_t incarnation) override;
  void Bound(const std::string& address) override;
  void Finish(std::chrono::steady_clock::time_point deadline) override;
  absl::Duration Leave() override;

  FrameVerdict OnFrame(ReceivedFrame frame) override;
  void OnDrained() override;
  void OnWritable(int id) override;
  void OnConnected(int id, std::uint64_t generation) override;

 private:
  // As many as are usual at once, so that draining allocates nothing.
  using Undrained = absl::InlinedVector<ReliablePeer*, 16>;

  std::unique_ptr<ReliablePeer> NewPeer() override;
  // Before anything that must not overtake the broadcasts that were taken.
  void SettleBroadcasts() const {
    if (broadcaster_.open()) broadcaster_.Close();
  }
  // OnDrained is to be passed on to it.
  void DrainLater(ReliablePeer* peer);
  absl::Time TickPeers(absl::Time now) override;
  // Returns when to look again.
  absl::Time WatchApplication(absl::Time now);
  // Bytes that are no frame; and a frame that names no member as its sender.
  FrameVerdict RefuseBytes(FrameError error, absl::string_view bytes,
                           const ReceivedFrame& frame);
  FrameVerdict RefuseSender(const FrameHeader& header, absl::string_view body,
                            const ReceivedFrame& frame);

  const std::shared_ptr<MemoryBudget> memory_;
  // Of any member, but for its id. Begin sets the incarnation, Take the live
  // limits.
  SessionConfig session_;
  mutable Broadcaster broadcaster_;

  Mutex undrained_mutex_;
  Undrained undrained_ CLUSTER_GUARDED_BY(undrained_mutex_);
  std::atomic<bool> any_undrained_{false};

  absl::Time trim_at_ = absl::InfinitePast();  // the ticker's
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_RELIABLE_DELIVERY_H_
