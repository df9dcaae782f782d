// The part that both deliveries share: the table of peers, and the calls that go
// to one of them or to each. PeerType is ReliablePeer or BestEffortPeer.
// Threads and errors are as PeerDelivery says.

#ifndef CLUSTER_SERVER_DELIVERY_TO_H_
#define CLUSTER_SERVER_DELIVERY_TO_H_

#include <memory>
#include <string>

#include "cluster/server/peer_delivery.h"
#include "cluster/server/peer_table.h"

namespace cluster::internal {

template <typename PeerType>
class DeliveryTo : public PeerDelivery {
 public:
  explicit DeliveryTo(const DeliveryParts& parts) : parts_(parts) {}

  bool Has(int id) const override { return peers_.Find(id) != nullptr; }

  void Add(int id, const PeerStats& before) override {
    PeerType* const peer = peers_.Vacant([this] { return NewPeer(); });
    peer->Join(id, before);
    peers_.Insert(peer);
  }

  PeerStats Remove(int id) override {
    PeerType* const peer = peers_.Find(id);
    peers_.Erase(id);
    return peer->Remove();
  }

  void AddStats(ServerStats* stats) const override {
    for (PeerType* const peer : peers_.all()) {
      if (peer->id() != Peer::kNobody) stats->peers.push_back(peer->Stats());
    }
  }

  SendOutcome Send(int id, const EnvelopeView& envelope) override {
    PeerType* const peer = peers_.Find(id);
    return peer == nullptr ? SendOutcome::kRemoved : peer->Send(id, envelope);
  }

  bool WaitForRoom(int id, const EnvelopeView& envelope,
                   std::chrono::steady_clock::time_point deadline) override {
    PeerType* const peer = peers_.Find(id);
    return peer == nullptr || peer->WaitForRoom(id, envelope, deadline);
  }

  absl::Status Connect(int id, const std::string& address) override {
    return peers_.Find(id)->Connect(address);
  }

  absl::Duration Leave() override {
    for (PeerType* const peer : peers_.all()) peer->Leave();
    return absl::InfiniteDuration();
  }

  void OnWritable(int id) override {
    if (PeerType* const peer = peers_.Find(id)) peer->OnWritable(id);
  }

  void OnConnected(int id, std::uint64_t generation) override {
    if (PeerType* const peer = peers_.Find(id))
      peer->OnConnected(id, generation);
    parts_.callbacks->Wake();
  }

  void OnDisconnected(int id, std::uint64_t generation,
                      absl::string_view reason) override {
    if (PeerType* const peer = peers_.Find(id))
      peer->OnDisconnected(id, generation, reason);
    parts_.callbacks->Wake();
  }

  void OnDrained() override { parts_.callbacks->RunHere(); }

  void OnRejected(Rejection rejection) override {
    parts_.rejections->Add(rejection);
  }

 protected:
  virtual std::unique_ptr<PeerType> NewPeer() = 0;

  // Counts a frame of no member.
  FrameVerdict Refuse(RefusalReason reason, FrameVerdict verdict) {
    parts_.rejections->Count(reason);
    return verdict;
  }

  const DeliveryParts parts_;
  PeerTable<PeerType> peers_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_DELIVERY_TO_H_
