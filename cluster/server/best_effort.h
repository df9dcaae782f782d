// The bare transport to all members: one envelope a message, at most once.
//
// There are no acknowledgements and no frames but the messages, so nothing is
// flushed. An envelope counts as acknowledged once Send
// accepted it, since nothing more will be known of it. The transport has all that
// was accepted, and alone can get it out.
//
// A peer that greets as the reliable delivery does understands no message. It is
// refused and down, and messages to it count as dropped.
//
// A message goes to the inbox once it decodes, its connection may speak for the
// sender that it names, and it is for this server. The Go library names no
// sender: with its dialect SenderId 0 is no claim unless there is a server 0.
//
// Thread-safe. Where memory ends, Send throws std::bad_alloc and has accepted
// nothing.

#ifndef CLUSTER_SERVER_BEST_EFFORT_H_
#define CLUSTER_SERVER_BEST_EFFORT_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "cluster/base/mutex.h"
#include "cluster/codec/codec.h"
#include "cluster/codec/frame_header.h"
#include "cluster/server/inbox.h"
#include "cluster/server/peer.h"
#include "cluster/server/peer_delivery.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {

// The largest message: of the largest payload, or what every transport carries.
// A foreign sender may escape every byte of a JSON string as six.
inline std::size_t MessageBytesMax(std::size_t payload_bytes_max) {
  return std::min(6 * payload_bytes_max + 4096, kFrameBytesLimit);
}

class BestEffortPeer : public Peer {
 public:
  // Serves nobody. All pointers outlive the peer. `frame_bytes_max`: the
  // transport's. `patience`: after this, a peer that has not come up is down.
  BestEffortPeer(const Codec* codec, std::size_t payload_bytes_max,
                 std::size_t frame_bytes_max, absl::Duration patience,
                 Transport* transport, Inbox* inbox);

  // Never waits.
  SendOutcome Send(int id, const EnvelopeView& envelope);
  // Nothing waits here, so nothing expires or is replaced.
  SendOutcome SendWith(int id, const EnvelopeView& envelope,
                       const SendConditions& conditions);
  bool Withdraw(int /*id*/, Lane /*lane*/, std::uint64_t /*group*/,
                std::uint64_t /*replaces*/) {
    return false;
  }
  // Waits until Send may answer something else than kFull; false at the
  // deadline. `conditions`: those of the Send, or null.
  bool WaitForRoom(int id, const EnvelopeView& envelope,
                   const SendConditions* conditions,
                   std::chrono::steady_clock::time_point deadline);

  // There are no acknowledgements, so there is nothing to measure.
  bool Probe(int id) { return id == this->id(); }
  absl::Status Connect(const std::string& address);
  // The server stops: takes no more.
  void Leave();
  // It takes each message at once, so there is nothing to wait for.
  void TakeNoMore() {}
  // Ends the membership: reports kRemoved, serves nobody. Returns the counters,
  // with those that Join got.
  PeerStats Remove();
  // Serves this member from now on, which had these counters before.
  void Join(int id, const PeerStats& before);

  void OnConnected(int id, std::uint64_t generation);
  void OnDisconnected(int id, std::uint64_t generation,
                      absl::string_view reason);
  void OnRefused(int /*id*/, std::uint64_t /*generation*/) {}
  void OnWritable(int id);
  // True: an event waits for the application.
  bool Tick(absl::Time now);
  PeerStats Stats() const;

  // A message of the member arrived and was taken; or refused. False: it is not
  // served.
  bool CountReceived(int id, std::size_t message_bytes);
  bool CountRefusal(int id, RefusalReason reason, absl::string_view trouble);
  // It greets as the reliable delivery does. `nonce`: the hello's, to refuse it.
  bool OnReliableHello(int id, std::uint64_t nonce, absl::Time now);

 private:
  void SetTrouble(absl::string_view trouble) CLUSTER_REQUIRES(mutex_);
  void ReportDown(absl::string_view reason) CLUSTER_REQUIRES(mutex_);
  void SendRefusal(const std::string& text, std::uint64_t nonce)
      CLUSTER_REQUIRES(mutex_);
  void Event(PeerEvent::Type type, absl::string_view reason)
      CLUSTER_REQUIRES(mutex_);

  const Codec* const codec_;
  const std::size_t payload_bytes_max_;
  const std::size_t frame_bytes_max_;
  const absl::Duration patience_;
  Transport* const transport_;
  Inbox* const inbox_;

  mutable Mutex mutex_{LockRank::kPeer};
  CondVar changed_;
  // Until then the transport would lose every message.
  bool dialled_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool writable_ CLUSTER_GUARDED_BY(mutex_) = true;
  bool left_ CLUSTER_GUARDED_BY(mutex_) = false;  // the server stops
  absl::Time begun_ CLUSTER_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool down_reported_ CLUSTER_GUARDED_BY(mutex_) = false;  // since it was up
  // It has the reliable delivery; until its next connection or message.
  bool reliable_ CLUSTER_GUARDED_BY(mutex_) = false;
  absl::Time refuse_after_ CLUSTER_GUARDED_BY(mutex_) = absl::InfinitePast();
  PeerStats stats_ CLUSTER_GUARDED_BY(mutex_);
};

class BestEffortDelivery final : public DeliveryTo<BestEffortPeer> {
 public:
  BestEffortDelivery(const Config& config, const DeliveryParts& parts);
  ~BestEffortDelivery() override { StopTicking(); }

  std::vector<int> Broadcast(const EnvelopeView& envelope) override;
  FrameVerdict OnFrame(ReceivedFrame frame) override;

 private:
  std::unique_ptr<BestEffortPeer> NewPeer() override;
  absl::Time TickPeers(absl::Time now) override;
  FrameVerdict RefuseBytes(const ReceivedFrame& frame);
  FrameVerdict RefuseReliable(const FrameHeader& header, absl::string_view body,
                              const ReceivedFrame& frame);

  const absl::Duration patience_;
  const std::size_t payload_bytes_max_;
  const bool go_dialect_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_BEST_EFFORT_H_
