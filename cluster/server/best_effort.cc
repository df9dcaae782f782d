#include "cluster/server/best_effort.h"

#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cluster/codec/hello.h"
#include "cluster/session/printable.h"
#include "cluster/session/session_config.h"

namespace cluster::internal {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);

std::string WrongDelivery(int self_id, int peer) {
  return absl::StrCat("server ", self_id,
                      " has \"delivery\": \"best_effort\", server ", peer,
                      " \"reliable\"");
}

}  // namespace

BestEffortPeer::BestEffortPeer(const Codec* codec,
                               std::size_t payload_bytes_max,
                               std::size_t frame_bytes_max,
                               absl::Duration patience, Transport* transport,
                               Inbox* inbox)
    : codec_(codec),
      payload_bytes_max_(payload_bytes_max),
      frame_bytes_max_(frame_bytes_max),
      patience_(patience),
      transport_(transport),
      inbox_(inbox) {}

SendOutcome BestEffortPeer::Send(int id, const EnvelopeView& envelope) {
  if (envelope.payload.size() > payload_bytes_max_)
    return SendOutcome::kTooLarge;
  MutexLock lock(&mutex_);
  if (this->id() != id || left_) return SendOutcome::kRemoved;
  if (!dialled_ || !writable_) return SendOutcome::kFull;
  if (reliable_) {
    ++stats_.accepted;
    ++stats_.dropped[static_cast<std::size_t>(DropReason::kUnsupported)];
    return SendOutcome::kAccepted;
  }
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

SendOutcome BestEffortPeer::SendWith(int id, const EnvelopeView& envelope,
                                     const SendConditions& conditions) {
  if (conditions.only_if_up) {
    MutexLock lock(&mutex_);
    if (this->id() != id || left_) return SendOutcome::kRemoved;
    if (!stats_.up) return SendOutcome::kDown;
  }
  return Send(id, envelope);
}

bool BestEffortPeer::WaitForRoom(
    int id, const EnvelopeView&, const SendConditions* conditions,
    std::chrono::steady_clock::time_point deadline) {
  MutexLock lock(&mutex_);
  return changed_.WaitUntil(&mutex_, deadline, [&] {
    mutex_.AssertHeld();
    return (dialled_ && writable_) || this->id() != id || left_ ||
           (conditions != nullptr && conditions->only_if_up && !stats_.up);
  });
}

absl::Status BestEffortPeer::Connect(const std::string& address) {
  const std::uint64_t generation = DrawGeneration();
  absl::Status status = transport_->Connect(id(), address, generation);
  if (!status.ok()) return status;
  MutexLock lock(&mutex_);
  Hear(generation);
  dialled_ = true;
  stats_.address = address;
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
  stats_.address.clear();
  stats_.since = absl::InfinitePast();
  writable_ = true;
  down_reported_ = reliable_ = false;
  begun_ = absl::InfinitePast();
  Serve(id);
}

void BestEffortPeer::SetTrouble(absl::string_view trouble) {
  if (trouble.empty()) return;
  stats_.last_trouble.assign(trouble.data(), trouble.size());
  stats_.last_trouble_at = absl::Now();
}

void BestEffortPeer::ReportDown(absl::string_view reason) {
  SetTrouble(reason);
  if (stats_.up) stats_.since = absl::Now();
  stats_.up = false;
  down_reported_ = true;
  changed_.NotifyAll();
  Event(PeerEvent::kDown, reason);
}

bool BestEffortPeer::Tick(absl::Time now) {
  MutexLock lock(&mutex_);
  if (begun_ == absl::InfinitePast()) begun_ = now;
  if (stats_.since == absl::InfinitePast()) stats_.since = absl::Now();
  if (id() == kNobody || stats_.up || down_reported_ ||
      now - begun_ < patience_)
    return false;
  ReportDown(stats_.last_trouble.empty() ? "no connection yet"
                                         : std::string(stats_.last_trouble));
  return true;
}

void BestEffortPeer::OnConnected(int id, std::uint64_t generation) {
  MutexLock lock(&mutex_);
  if (this->id() != id || !Hear(generation) || stats_.up) return;
  stats_.up = true;
  stats_.since = absl::Now();
  down_reported_ = reliable_ = false;
  stats_.last_trouble.clear();
  stats_.last_trouble_at = absl::InfinitePast();
  ++stats_.sessions;
  Event(PeerEvent::kUp, "connected");
}

void BestEffortPeer::OnDisconnected(int id, std::uint64_t generation,
                                    absl::string_view reason) {
  MutexLock lock(&mutex_);
  if (this->id() != id || !Hear(generation)) return;
  if (stats_.up) return ReportDown(reason);
  SetTrouble(reason);
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
  reliable_ = false;
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
  SetTrouble(trouble);
  return true;
}

bool BestEffortPeer::OnReliableHello(int id, std::uint64_t nonce,
                                     absl::Time now) {
  MutexLock lock(&mutex_);
  if (this->id() != id || left_) return false;
  ++stats_.refused[static_cast<std::size_t>(RefusalReason::kWrongDelivery)];
  const std::string text = WrongDelivery(inbox_->self_id(), id);
  if (stats_.up || !down_reported_) {
    ReportDown(text);
  } else {
    SetTrouble(text);
  }
  reliable_ = true;
  if (dialled_ && now >= refuse_after_) {
    refuse_after_ = now + kRefusalInterval;
    SendRefusal(text, nonce);
  }
  return true;
}

// Over the connection to the peer, as a session would. It is lost if that is
// full: another hello will come.
void BestEffortPeer::SendRefusal(const std::string& text, std::uint64_t nonce) {
  Refusal refusal;
  refusal.code = RefusalCode::kWrongDelivery;
  refusal.text = text;
  refusal.echo_nonce = nonce;
  refusal.versions = {kFrameVersionMin, kFrameVersionMax};
  const std::string body = EncodeRefusal(refusal);
  FrameHeader header;
  header.kind = FrameKind::kRefusal;
  header.sender_id = static_cast<std::uint32_t>(inbox_->self_id());
  header.destination_id = static_cast<std::uint32_t>(id());
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  header.body_crc = Crc32c(body);
  std::string frame(kFrameHeaderBytes, '\0');
  EncodeFrameHeader(header, &frame[0]);
  if (transport_->Send(id(), Frame{{MakeSlice(frame + body)}}) ==
      SendResult::kBackPressured) {
    writable_ = false;
  }
}

PeerStats BestEffortPeer::Stats() const {
  MutexLock lock(&mutex_);
  return stats_;
}

BestEffortDelivery::BestEffortDelivery(const Config& config,
                                       const DeliveryParts& parts)
    : DeliveryTo(parts, kTick, kTick),
      patience_(config.peer_timeout),
      payload_bytes_max_(config.payload_bytes_max),
      go_dialect_(config.json_dialect == JsonDialect::kGo) {}

std::unique_ptr<BestEffortPeer> BestEffortDelivery::NewPeer() {
  return std::make_unique<BestEffortPeer>(
      parts_.codec, payload_bytes_max_, MessageBytesMax(payload_bytes_max_),
      patience_, parts_.transport, parts_.inbox);
}

absl::Time BestEffortDelivery::TickPeers(absl::Time now) {
  bool reported = false;
  for (BestEffortPeer* const peer : peers_.all()) reported |= peer->Tick(now);
  if (reported) parts_.callbacks->Wake();
  return absl::InfinitePast();
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
    return RefuseBytes(frame);
  }
  EnvelopeView& envelope = state.envelope;
  const bool nameless =
      go_dialect_ && envelope.sender_id == 0 && parts_.self_id != 0 && !Has(0);
  if (nameless && frame.identity) envelope.sender_id = *frame.identity;
  const int sender = envelope.sender_id;
  if (!parts_.rejections->MaySpeakFor(sender, frame.identity))
    return FrameVerdict::kMalformed;
  BestEffortPeer* const peer = peers_.Find(sender);
  const auto refuse = [&](RefusalReason reason, absl::string_view trouble) {
    const auto text = [&] {
      return absl::StrCat(trouble, FromText(frame.source));
    };
    if (peer == nullptr || !peer->CountRefusal(sender, reason, trouble)) {
      parts_.rejections->Refuse(reason, PeerEvent::kNobody, text);
    } else {
      parts_.rejections->Report(reason, sender, text, MonotonicNow());
    }
    return FrameVerdict::kAccepted;
  };
  if (peer == nullptr && !(nameless && !frame.identity)) {
    return refuse(
        RefusalReason::kUnknownSender,
        absl::StrCat("server ", sender, ", which is no member here, sends"));
  }
  if (envelope.pid != parts_.self_id && envelope.pid != kBroadcast) {
    return refuse(
        RefusalReason::kWrongDestination,
        absl::StrCat("server ", sender, " sent an envelope for server ",
                     envelope.pid, " to this server, ", parts_.self_id,
                     ": its address of server ", envelope.pid, " leads here"));
  }
  // A foreign sender gives no id.
  if (envelope.message_id == MessageId())
    envelope.message_id = parts_.message_ids->Next();
  if (!parts_.inbox->PushEnvelope(envelope))
    return refuse(RefusalReason::kInboxFull, "Receive does not keep up");
  if (peer != nullptr) peer->CountReceived(sender, frame.slice.bytes.size());
  return FrameVerdict::kAccepted;
}

FrameVerdict BestEffortDelivery::RefuseBytes(const ReceivedFrame& frame) {
  FrameHeader header;
  absl::string_view body = frame.rest.bytes;
  const FrameError error = body.empty()
                               ? DecodeFrame(frame.slice.bytes, &header, &body)
                               : DecodeFrame(frame.slice.bytes, body, &header);
  if (error == FrameError::kNone || error == FrameError::kVersion)
    return RefuseReliable(header, body, frame);
  parts_.rejections->Refuse(RefusalReason::kMalformed, PeerEvent::kNobody, [&] {
    DecodeState state;
    return absl::StrCat(
        frame.slice.bytes.size() + frame.rest.bytes.size(),
        " bytes that are no envelope: ",
        Printable(parts_.codec->DecodeStandalone(frame.slice.bytes, &state)
                      .message()),
        FromText(frame.source));
  });
  return FrameVerdict::kMalformed;
}

// It is well-formed, so its connection may stay. So its sender can hear why.
FrameVerdict BestEffortDelivery::RefuseReliable(const FrameHeader& header,
                                                absl::string_view body,
                                                const ReceivedFrame& frame) {
  const int sender = static_cast<int>(header.sender_id);
  if (!parts_.rejections->MaySpeakFor(sender, frame.identity))
    return FrameVerdict::kMalformed;
  Hello hello;
  const bool greets =
      header.kind == FrameKind::kHello && DecodeHello(body, &hello);
  BestEffortPeer* const peer = peers_.Find(sender);
  const absl::Time now = MonotonicNow();
  const auto text = [&] {
    return absl::StrCat(WrongDelivery(parts_.self_id, sender),
                        FromText(frame.source));
  };
  if (greets && peer != nullptr &&
      peer->OnReliableHello(sender, hello.nonce, now)) {
    parts_.rejections->Report(RefusalReason::kWrongDelivery, sender, text, now);
  } else {
    parts_.rejections->Refuse(RefusalReason::kWrongDelivery, sender, text);
  }
  return FrameVerdict::kAccepted;
}

}  // namespace cluster::internal
