#include "cluster/server/best_effort_delivery.h"

#include <new>

#include "absl/strings/str_cat.h"

namespace cluster::internal {

BestEffortDelivery::BestEffortDelivery(const Config& config,
                                       const DeliveryParts& parts)
    : DeliveryTo(parts), payload_bytes_max_(config.payload_bytes_max) {}

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
  const int sender = envelope.sender_id;
  if (!parts_.rejections->MaySpeakFor(sender, frame.identity))
    return FrameVerdict::kMalformed;
  BestEffortPeer* const peer = peers_.Find(sender);
  if (peer == nullptr)
    return Refuse(RefusalReason::kUnknownSender, FrameVerdict::kAccepted);
  const auto refuse = [&](RefusalReason reason, absl::string_view trouble) {
    return peer->CountRefusal(sender, reason, trouble)
               ? FrameVerdict::kAccepted
               : Refuse(RefusalReason::kUnknownSender, FrameVerdict::kAccepted);
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
  peer->CountReceived(sender, frame.slice.bytes.size());
  return FrameVerdict::kAccepted;
}

}  // namespace cluster::internal
