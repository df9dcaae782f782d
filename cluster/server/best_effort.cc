#include "cluster/server/best_effort.h"

#include <new>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cluster::internal {

BestEffortPeer::BestEffortPeer(const Codec* codec,
                               std::size_t payload_bytes_max,
                               std::size_t frame_bytes_max,
                               Transport* transport, Inbox* inbox)
    : codec_(codec),
      payload_bytes_max_(payload_bytes_max),
      frame_bytes_max_(frame_bytes_max),
      transport_(transport),
      inbox_(inbox) {}

SendOutcome BestEffortPeer::Send(int id, const EnvelopeView& envelope) {
  if (envelope.payload.size() > payload_bytes_max_)
    return SendOutcome::kTooLarge;
  MutexLock lock(&mutex_);
  if (this->id() != id || left_) return SendOutcome::kRemoved;
  if (!dialled_ || !writable_) return SendOutcome::kFull;
  std::string message;
  codec_->EncodeStandalone(envelope, &message);
  const std::size_t bytes = message.size();
  if (bytes > frame_bytes_max_) return SendOutcome::kTooLarge;
  if (transport_->Send(id, Frame{{MakeSlice(std::move(message))}}) ==
      SendResult::kBackPressured) {
    writable_ = false;
    return SendOutcome::kFull;
  }
  ++stats_.accepted;
  ++stats_.acknowledged;
  ++stats_.frames_sent;
  stats_.bytes_sent += bytes;
  return SendOutcome::kAccepted;
}

bool BestEffortPeer::WaitForRoom(
    int id, const EnvelopeView&,
    std::chrono::steady_clock::time_point deadline) {
  MutexLock lock(&mutex_);
  return changed_.WaitUntil(&mutex_, deadline, [&] {
    mutex_.AssertHeld();
    return (dialled_ && writable_) || this->id() != id || left_;
  });
}

absl::Status BestEffortPeer::Connect(const std::string& address) {
  const std::uint64_t generation = DrawGeneration();
  absl::Status status = transport_->Connect(id(), address, generation);
  if (!status.ok()) return status;
  MutexLock lock(&mutex_);
  Hear(generation);
  dialled_ = true;
  changed_.NotifyAll();
  return status;
}

void BestEffortPeer::Event(PeerEvent::Type type, absl::string_view reason) {
  PeerEvent event;
  event.type = type;
  event.peer = id();
  event.reason = std::string(reason);
  inbox_->PushEvent(std::move(event));
}

void BestEffortPeer::Leave() {
  MutexLock lock(&mutex_);
  left_ = true;
  changed_.NotifyAll();
}

PeerStats BestEffortPeer::Remove() {
  MutexLock lock(&mutex_);
  if (id() == kNobody) return stats_;
  dialled_ = false;
  stats_.up = false;
  Event(PeerEvent::kRemoved, "RemovePeer");
  Serve(kNobody);
  changed_.NotifyAll();
  return stats_;
}

void BestEffortPeer::Join(int id, const PeerStats& before) {
  MutexLock lock(&mutex_);
  stats_ = before;
  stats_.peer = id;
  writable_ = true;
  Serve(id);
}

void BestEffortPeer::OnConnected(int id, std::uint64_t generation) {
  MutexLock lock(&mutex_);
  if (this->id() != id || !Hear(generation) || stats_.up) return;
  stats_.up = true;
  ++stats_.sessions;
  Event(PeerEvent::kUp, "connected");
}

void BestEffortPeer::OnDisconnected(int id, std::uint64_t generation,
                                    absl::string_view reason) {
  MutexLock lock(&mutex_);
  if (this->id() != id || !Hear(generation)) return;
  stats_.last_trouble = std::string(reason);
  if (!stats_.up) return;
  stats_.up = false;
  Event(PeerEvent::kDown, reason);
}

void BestEffortPeer::OnWritable(int id) {
  MutexLock lock(&mutex_);
  if (this->id() != id) return;
  writable_ = true;
  changed_.NotifyAll();
}

bool BestEffortPeer::CountReceived(int id, std::size_t message_bytes) {
  MutexLock lock(&mutex_);
  if (this->id() != id) return false;
  ++stats_.received;
  ++stats_.frames_received;
  stats_.bytes_received += message_bytes;
  return true;
}

bool BestEffortPeer::CountRefusal(int id, RefusalReason reason,
                                  absl::string_view trouble) {
  MutexLock lock(&mutex_);
  if (this->id() != id) return false;
  ++stats_.refused[static_cast<std::size_t>(reason)];
  stats_.last_trouble.assign(trouble.data(), trouble.size());
  return true;
}

PeerStats BestEffortPeer::Stats() const {
  MutexLock lock(&mutex_);
  return stats_;
}

BestEffortDelivery::BestEffortDelivery(const Config& config,
                                       const DeliveryParts& parts)
    : DeliveryTo(parts),
      payload_bytes_max_(config.payload_bytes_max),
      go_dialect_(config.json_dialect == JsonDialect::kGo) {}

std::unique_ptr<BestEffortPeer> BestEffortDelivery::NewPeer() {
  return std::make_unique<BestEffortPeer>(parts_.codec, payload_bytes_max_,
                                          MessageBytesMax(payload_bytes_max_),
                                          parts_.transport, parts_.inbox);
}

std::vector<int> BestEffortDelivery::Broadcast(const EnvelopeView& envelope) {
  std::vector<int> troubled;
  bool memory = true;
  for (BestEffortPeer* const peer : peers_.all()) {
    const int id = peer->id();
    if (id == Peer::kNobody) continue;
    // A peer without memory for it keeps it from no other.
    try {
      if (peer->Send(id, envelope) != SendOutcome::kAccepted)
        troubled.push_back(id);
    } catch (const std::bad_alloc&) {
      memory = false;
    }
  }
  if (!memory) throw std::bad_alloc();
  return troubled;
}

FrameVerdict BestEffortDelivery::OnFrame(ReceivedFrame frame) {
  DecodeState state;
  if (!frame.rest.bytes.empty() ||
      !parts_.codec->DecodeStandalone(frame.slice.bytes, &state).ok()) {
    return Refuse(RefusalReason::kMalformed, FrameVerdict::kMalformed);
  }
  EnvelopeView& envelope = state.envelope;
  const bool nameless =
      go_dialect_ && envelope.sender_id == 0 && parts_.self_id != 0 && !Has(0);
  if (nameless && frame.identity) envelope.sender_id = *frame.identity;
  const int sender = envelope.sender_id;
  if (!parts_.rejections->MaySpeakFor(sender, frame.identity))
    return FrameVerdict::kMalformed;
  BestEffortPeer* const peer = peers_.Find(sender);
  if (peer == nullptr && !(nameless && !frame.identity))
    return Refuse(RefusalReason::kUnknownSender, FrameVerdict::kAccepted);
  const auto refuse = [&](RefusalReason reason, absl::string_view trouble) {
    return peer != nullptr && peer->CountRefusal(sender, reason, trouble)
               ? FrameVerdict::kAccepted
               : Refuse(
                     peer == nullptr ? reason : RefusalReason::kUnknownSender,
                     FrameVerdict::kAccepted);
  };
  if (envelope.pid != parts_.self_id && envelope.pid != kBroadcast) {
    return refuse(RefusalReason::kWrongDestination,
                  absl::StrCat("an envelope for server ", envelope.pid));
  }
  // A foreign sender gives no id.
  if (envelope.message_id == MessageId())
    envelope.message_id = parts_.message_ids->Next();
  if (!parts_.inbox->PushEnvelope(envelope))
    return refuse(RefusalReason::kInboxFull, "Receive does not keep up");
  if (peer != nullptr) peer->CountReceived(sender, frame.slice.bytes.size());
  return FrameVerdict::kAccepted;
}

}  // namespace cluster::internal
