// How envelopes reach the other members, and how theirs get here.
//
// The interface of ReliableDelivery and BestEffortDelivery. A member that is
// removed meanwhile takes nothing and is not waited for. The transport calls it as
// its TransportHandler, and envelopes that arrive go to the inbox.
//
// Thread-safe, but for changes of the members (see Add). Where memory ends, a
// call throws std::bad_alloc, and a member without memory has accepted nothing.

#ifndef CLUSTER_SERVER_PEER_DELIVERY_H_
#define CLUSTER_SERVER_PEER_DELIVERY_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/base/clock.h"
#include "cluster/codec/codec.h"
#include "cluster/config.h"
#include "cluster/envelope.h"
#include "cluster/server/application_watch.h"
#include "cluster/server/callbacks.h"
#include "cluster/server/inbox.h"
#include "cluster/server/message_ids.h"
#include "cluster/server/peer.h"
#include "cluster/server/peer_table.h"
#include "cluster/server/rejections.h"
#include "cluster/server/ticker.h"
#include "cluster/session/memory_budget.h"
#include "cluster/stats.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {

class PeerDelivery : public TransportHandler {
 public:
  // Members. Add, Remove and AddStats: one call at a time.
  virtual bool Has(int id) const = 0;
  virtual std::vector<int> Members() const = 0;
  // `before`: the member's counters of its earlier memberships.
  virtual void Add(int id, const PeerStats& before) = 0;
  // Takes nothing more for the member, which Remove is about to end.
  virtual void TakeNoMore(int id) = 0;
  // Drops all that the member has not acknowledged, and reports kRemoved. Returns
  // its counters. It is a member.
  virtual PeerStats Remove(int id) = 0;
  // The members, and what they hold.
  virtual void AddStats(ServerStats* stats) const = 0;

  // Never waits. kRemoved: no such member.
  virtual SendOutcome Send(int id, const EnvelopeView& envelope) = 0;
  virtual SendOutcome SendWith(int id, const EnvelopeView& envelope,
                               const SendConditions& conditions) = 0;
  // Drops the envelope with that key, if it waits to be transmitted.
  virtual bool Withdraw(int id, Lane lane, std::uint64_t group,
                        std::uint64_t replaces) = 0;
  // To all members. Returns those that did not take it.
  virtual std::vector<int> Broadcast(const EnvelopeView& envelope) = 0;
  // Waits until Send of this envelope may answer something else than kFull or
  // kNoMemory; false at the deadline. `conditions`: those of the Send, or null.
  virtual bool WaitForRoom(int id, const EnvelopeView& envelope,
                           const SendConditions* conditions,
                           std::chrono::steady_clock::time_point deadline) = 0;
  // Whether it takes payloads that are moved or in pieces (SendConditions).
  virtual bool scatters() const { return false; }
  // Room for bytes of an arrival that the application keeps; or none.
  virtual KeptRoom RoomToKeep(std::size_t /*bytes*/, bool /*claimed*/) {
    return KeptRoom();
  }
  // Whether there are acknowledgements to flush for.
  virtual bool acknowledges() const { return false; }
  // Waits until the member, or each, has acknowledged or lost what was accepted
  // before the call. Returns those that are behind at the deadline.
  virtual std::vector<int> Flush(
      absl::optional<int> /*id*/,
      std::chrono::steady_clock::time_point /*deadline*/) {
    return {};
  }

  // Measures a round trip to the member. False: no such member.
  virtual bool Probe(int id) = 0;

  // Members whose sessions cannot take other times.
  virtual std::vector<int> WithoutLiveTimes() const { return {}; }
  // Takes the live keys of a valid config but for the members. One call at a time,
  // and no change of members meanwhile.
  virtual void Take(const Config& /*config*/) {}

  // The server starts, as this life of its id; before it, nothing is sent.
  virtual void Begin(std::uint64_t /*incarnation*/) {}
  // The address for hellos, if its port was not known before. Nothing is dialled
  // yet.
  virtual void Bound(const std::string& /*address*/) {}
  // The transport runs and the address is known: dial.
  virtual absl::Status Connect(int id, const std::string& address) = 0;
  // From now on time passes. kResourceExhausted: the system gives no thread.
  virtual absl::Status StartTicking() = 0;
  // Something begins that a tick has to watch.
  virtual void ExpectTick() = 0;
  // The last envelopes were accepted: waits until they are with their members,
  // but for members that went. No time passes any more.
  virtual void Finish(std::chrono::steady_clock::time_point deadline) = 0;
  // Says goodbye to all and drops the rest, counted as kStopped. Returns how long
  // the transport may still try to get out what it has.
  virtual absl::Duration Leave() = 0;
};

// The other parts of the server. All pointers outlive the delivery.
struct DeliveryParts {
  int self_id = 0;
  const Codec* codec = nullptr;
  std::shared_ptr<BufferPool> buffers;
  MessageIds* message_ids = nullptr;
  Transport* transport = nullptr;
  Inbox* inbox = nullptr;
  Callbacks* callbacks = nullptr;
  Rejections* rejections = nullptr;
  ApplicationWatch* application = nullptr;
};

// The part that both deliveries share: the table of peers, and the calls that go
// to one of them or to each. PeerType is ReliablePeer or BestEffortPeer.
template <typename PeerType>
class DeliveryTo : public PeerDelivery {
 public:
  DeliveryTo(const DeliveryParts& parts, absl::Duration tick_soon,
             absl::Duration tick_at_leisure)
      : parts_(parts),
        ticker_([this] { return Tick(); }, tick_soon, tick_at_leisure) {}

  bool Has(int id) const override { return peers_.Find(id) != nullptr; }

  std::vector<int> Members() const override {
    std::vector<int> members;
    for (PeerType* const peer : peers_.all()) {
      const int id = peer->id();
      if (id != Peer::kNobody) members.push_back(id);
    }
    return members;
  }

  void Add(int id, const PeerStats& before) override {
    PeerType* const peer = peers_.Vacant([this] { return NewPeer(); });
    peer->Join(id, before);
    peers_.Insert(peer);
  }

  void TakeNoMore(int id) override { peers_.Find(id)->TakeNoMore(); }

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

  SendOutcome SendWith(int id, const EnvelopeView& envelope,
                       const SendConditions& conditions) override {
    PeerType* const peer = peers_.Find(id);
    return peer == nullptr ? SendOutcome::kRemoved
                           : peer->SendWith(id, envelope, conditions);
  }

  bool Withdraw(int id, Lane lane, std::uint64_t group,
                std::uint64_t replaces) override {
    PeerType* const peer = peers_.Find(id);
    return peer != nullptr && peer->Withdraw(id, lane, group, replaces);
  }

  bool Probe(int id) override {
    PeerType* const peer = peers_.Find(id);
    return peer != nullptr && peer->Probe(id);
  }

  bool WaitForRoom(int id, const EnvelopeView& envelope,
                   const SendConditions* conditions,
                   std::chrono::steady_clock::time_point deadline) override {
    PeerType* const peer = peers_.Find(id);
    return peer == nullptr ||
           peer->WaitForRoom(id, envelope, conditions, deadline);
  }

  absl::Status Connect(int id, const std::string& address) override {
    return peers_.Find(id)->Connect(address);
  }

  absl::Status StartTicking() override { return ticker_.Start(); }

  void ExpectTick() override { ticker_.Wake(); }

  void Finish(std::chrono::steady_clock::time_point /*deadline*/) override {
    ticker_.Stop();
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

  void OnRefused(int id, std::uint64_t generation) override {
    if (PeerType* const peer = peers_.Find(id)) peer->OnRefused(id, generation);
    parts_.callbacks->Wake();
  }

  void OnDrained() override { parts_.callbacks->RunHere(); }

  void OnRejected(Rejection rejection) override {
    parts_.rejections->Add(rejection);
    ExpectTick();  // a handler may be slow
  }

 protected:
  virtual std::unique_ptr<PeerType> NewPeer() = 0;
  // Returns until when no peer will want one; InfinitePast: soon again.
  virtual absl::Time TickPeers(absl::Time now) = 0;

  const DeliveryParts parts_;
  PeerTable<PeerType> peers_;
  void StopTicking() { ticker_.Stop(); }
  Ticker* ticker() { return &ticker_; }

 private:
  absl::Time Tick() {
    const absl::Time now = MonotonicNow();
    const bool handler_runs = parts_.callbacks->Watch(now);
    const absl::Time peers_idle_until = TickPeers(now);
    return handler_runs ? absl::InfinitePast() : peers_idle_until;
  }

  // Last: no tick runs when the rest is destroyed. A delivery that overrides
  // TickPeers stops it in its own destructor.
  Ticker ticker_;
};

// The delivery that the config names.
std::unique_ptr<PeerDelivery> NewPeerDelivery(const Config& config,
                                              const DeliveryParts& parts);

// The largest frame that it gives to the transport.
std::size_t FrameBytesMax(const Config& config);

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_PEER_DELIVERY_H_
