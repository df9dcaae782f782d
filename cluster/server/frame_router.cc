#include "cluster/server/frame_router.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/clock.h"

namespace cluster {
namespace {

// The body has taken its share over from the frame.
FrameError Decode(ReceivedFrame* frame, FrameHeader* header, Slice* body) {
  if (!frame->rest.bytes.empty()) {
    *body = std::move(frame->rest);
    return DecodeFrame(frame->slice.bytes, body->bytes, header);
  }
  body->owner = std::move(frame->slice.owner);
  return DecodeFrame(frame->slice.bytes, header, &body->bytes);
}

}  // namespace

FrameRouter::FrameRouter(int self_id, Delivery delivery, bool secured,
                         const Codec* codec, std::function<MessageId()> next_id,
                         PeerTable<Peer>* peers, Broadcaster* broadcaster,
                         Inbox* inbox, Callbacks* callbacks,
                         Rejections* rejections)
    : self_id_(self_id),
      delivery_(delivery),
      secured_(secured),
      codec_(codec),
      next_id_(std::move(next_id)),
      peers_(peers),
      broadcaster_(broadcaster),
      inbox_(inbox),
      callbacks_(callbacks),
      rejections_(rejections) {}

FrameVerdict FrameRouter::OnFrame(ReceivedFrame frame) {
  return delivery_ == Delivery::kReliable ? OnSessionFrame(std::move(frame))
                                          : OnMessage(frame);
}

FrameVerdict FrameRouter::Refuse(RefusalReason reason, FrameVerdict verdict) {
  rejections_->Count(reason);
  return verdict;
}

void FrameRouter::Report(RefusalReason reason, int peer,
                         absl::string_view text) {
  rejections_->Report(reason, peer, text, MonotonicNow());
}

bool FrameRouter::MaySpeakFor(int sender, const absl::optional<int>& identity) {
  if (!secured_ || identity == sender) return true;
  if (!identity) {
    rejections_->Count(RefusalReason::kUnauthenticated);
    Report(RefusalReason::kUnauthenticated, sender,
           absl::StrCat("a frame in the name of server ", sender,
                        " on a connection that proved nothing"));
    return false;
  }
  rejections_->Count(RefusalReason::kWrongIdentity);
  Report(RefusalReason::kWrongIdentity, sender,
         absl::StrCat("server ", *identity, " sent a frame in the name of ",
                      "server ", sender));
  return false;
}

FrameVerdict FrameRouter::OnSessionFrame(ReceivedFrame frame) {
  FrameHeader header;
  Slice body;
  const FrameError error = Decode(&frame, &header, &body);
  if (error != FrameError::kNone && error != FrameError::kVersion)
    return Refuse(RefusalReason::kMalformed, FrameVerdict::kMalformed);
  if (!MaySpeakFor(static_cast<int>(header.sender_id), frame.identity))
    return FrameVerdict::kMalformed;
  // With this delivery the table holds no other kind.
  auto* const peer = static_cast<ReliablePeer*>(
      peers_->Find(static_cast<int>(header.sender_id)));
  if (error == FrameError::kVersion) {
    return peer != nullptr && peer->OnForeignVersion(header)
               ? FrameVerdict::kMalformed
               : Refuse(RefusalReason::kVersion, FrameVerdict::kMalformed);
  }
  bool may_pump = false;
  if (peer == nullptr || !peer->OnFrame(header, std::move(body), &may_pump))
    return Refuse(RefusalReason::kUnknownSender, FrameVerdict::kAccepted);
  if (may_pump) DrainLater(peer);
  return FrameVerdict::kAccepted;
}

void FrameRouter::DrainLater(Peer* peer) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (std::find(undrained_.begin(), undrained_.end(), peer) !=
      undrained_.end()) {
    return;
  }
  undrained_.push_back(peer);
  any_undrained_.store(true, std::memory_order_release);
}

FrameVerdict FrameRouter::OnMessage(const ReceivedFrame& frame) {
  DecodeState state;
  if (!frame.rest.bytes.empty() ||
      !codec_->DecodeStandalone(frame.slice.bytes, &state).ok()) {
    return Refuse(RefusalReason::kMalformed, FrameVerdict::kMalformed);
  }
  EnvelopeView& envelope = state.envelope;
  if (!MaySpeakFor(envelope.sender_id, frame.identity))
    return FrameVerdict::kMalformed;
  const int sender = envelope.sender_id;
  auto* const peer = static_cast<BestEffortPeer*>(peers_->Find(sender));
  if (peer == nullptr)
    return Refuse(RefusalReason::kUnknownSender, FrameVerdict::kAccepted);
  const auto refuse = [&](RefusalReason reason, absl::string_view trouble) {
    return peer->CountRefusal(sender, reason, trouble)
               ? FrameVerdict::kAccepted
               : Refuse(RefusalReason::kUnknownSender, FrameVerdict::kAccepted);
  };
  if (envelope.pid != self_id_ && envelope.pid != kBroadcast) {
    return refuse(RefusalReason::kWrongDestination,
                  absl::StrCat("an envelope for server ", envelope.pid));
  }
  if (envelope.message_id == MessageId()) envelope.message_id = next_id_();
  if (!inbox_->PushEnvelope(envelope))
    return refuse(RefusalReason::kInboxFull, "Receive does not keep up");
  peer->CountReceived(sender, frame.slice.bytes.size());
  return FrameVerdict::kAccepted;
}

void FrameRouter::OnDrained() {
  if (any_undrained_.load(std::memory_order_acquire)) {
    Undrained undrained;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      undrained.swap(undrained_);
      any_undrained_.store(false, std::memory_order_relaxed);
    }
    for (Peer* peer : undrained) peer->OnDrained();
  }
  OnRoom();
  callbacks_->RunHere();
}

void FrameRouter::OnWritable(int peer) {
  if (Peer* const found = peers_->Find(peer)) found->OnWritable(peer);
  OnRoom();
}

void FrameRouter::OnRoom() {
  if (broadcaster_ != nullptr) broadcaster_->OnRoom();
}

void FrameRouter::OnConnected(int peer, std::uint64_t generation) {
  if (Peer* const found = peers_->Find(peer))
    found->OnConnected(peer, generation);
  OnRoom();
  callbacks_->Wake();
}

void FrameRouter::OnDisconnected(int peer, std::uint64_t generation,
                                 absl::string_view reason) {
  if (Peer* const found = peers_->Find(peer))
    found->OnDisconnected(peer, generation, reason);
  callbacks_->Wake();
}

void FrameRouter::OnRejected(Rejection rejection) {
  rejections_->Count(rejection.kind);
  Report(rejection.kind, rejection.peer.value_or(PeerEvent::kNobody),
         rejection.reason);
}

}  // namespace cluster
