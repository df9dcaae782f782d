// The bare transport to all members: one envelope a message, at most once.
//
// There are no acknowledgements and no frames but the messages, so nothing is
// flushed and no time passes. An envelope counts as acknowledged once Send
// accepted it, since nothing more will be known of it. The transport has all that
// was accepted, and alone can get it out.
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
  // transport's.
  BestEffortPeer(const Codec* codec, std::size_t payload_bytes_max,
                 std::size_t frame_bytes_max, Transport* transport,
                 Inbox* inbox);

  // Never waits.
  SendOutcome Send(int id, const EnvelopeView& envelope);
  // Waits until Send may answer something else than kFull; false at the deadline.
  bool WaitForRoom(int id, const EnvelopeView& envelope,
                   std::chrono::steady_clock::time_point deadline);

  absl::Status Connect(const std::string& address);
  // The server stops: takes no more.
  void Leave();
  // Ends the membership: reports kRemoved, serves nobody. Returns the counters,
  // with those that Join got.
  PeerStats Remove();
  // Serves this member from now on, which had these counters before.
  void Join(int id, const PeerStats& before);

  void OnConnected(int id, std::uint64_t generation);
  void OnDisconnected(int id, std::uint64_t generation,
                      absl::string_view reason);
  void OnWritable(int id);
  PeerStats Stats() const;

  // A message of the member arrived and was taken; or refused. False: it is not
  // served.
  bool CountReceived(int id, std::size_t message_bytes);
  bool CountRefusal(int id, RefusalReason reason, absl::string_view trouble);

 private:
  void Event(PeerEvent::Type type, absl::string_view reason)
      CLUSTER_REQUIRES(mutex_);

  const Codec* const codec_;
  const std::size_t payload_bytes_max_;
  const std::size_t frame_bytes_max_;
  Transport* const transport_;
  Inbox* const inbox_;

  mutable Mutex mutex_{LockRank::kPeer};
  CondVar changed_;
  // Until then the transport would lose every message.
  bool dialled_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool writable_ CLUSTER_GUARDED_BY(mutex_) = true;
  bool left_ CLUSTER_GUARDED_BY(mutex_) = false;  // the server stops
  PeerStats stats_ CLUSTER_GUARDED_BY(mutex_);
};

class BestEffortDelivery final : public DeliveryTo<BestEffortPeer> {
 public:
  BestEffortDelivery(const Config& config, const DeliveryParts& parts);

  std::vector<int> Broadcast(const EnvelopeView& envelope) override;
  FrameVerdict OnFrame(ReceivedFrame frame) override;

 private:
  std::unique_ptr<BestEffortPeer> NewPeer() override;

  const std::size_t payload_bytes_max_;
  const bool go_dialect_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_BEST_EFFORT_H_
