#include "cluster/envelope.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace cluster {

bool operator==(const Envelope& a, const Envelope& b) {
  return a.message_id == b.message_id && a.pid == b.pid &&
         a.msg_type == b.msg_type && a.sender_id == b.sender_id &&
         a.term == b.term && a.voted == b.voted && a.payload == b.payload &&
         a.lane == b.lane;
}

namespace {

// All but the payload.
void CopyFields(const EnvelopeView& from, Envelope* to) {
  to->message_id = from.message_id;
  to->pid = from.pid;
  to->msg_type = from.msg_type;
  to->sender_id = from.sender_id;
  to->term = from.term;
  to->voted = from.voted;
  to->lane = from.lane;
}

}  // namespace

Envelope EnvelopeView::ToEnvelope() const {
  Envelope envelope;
  CopyFields(*this, &envelope);
  // A new string takes less time than filling an empty one.
  envelope.payload = std::string(payload);
  return envelope;
}

void EnvelopeView::CopyTo(Envelope* envelope) const {
  CopyFields(*this, envelope);
  envelope->payload.assign(payload.data(), payload.size());
}

std::string MsgTypeName(MsgType type) {
  switch (type) {
    case MsgType::kAppendEntriesRequest:
      return "AppendEntriesRequest";
    case MsgType::kAppendEntriesResponse:
      return "AppendEntriesResponse";
    case MsgType::kRequestVoteRequest:
      return "RequestVoteRequest";
    case MsgType::kRequestVoteResponse:
      return "RequestVoteResponse";
  }
  return absl::StrCat("MsgType(", static_cast<int>(type), ")");
}

absl::string_view LaneName(Lane lane) {
  switch (lane) {
    case Lane::kUrgent:
      return "urgent";
    case Lane::kNormal:
      return "normal";
    case Lane::kBulk:
      return "bulk";
  }
  return "unknown";
}

std::string ToString(const MessageId& id) {
  return absl::StrCat(id.incarnation, "-", id.sequence);
}

std::ostream& operator<<(std::ostream& out, const MessageId& id) {
  return out << ToString(id);
}

std::ostream& operator<<(std::ostream& out, const Envelope& envelope) {
  constexpr std::size_t kShown = 32;
  out << "{" << envelope.message_id << " " << envelope.sender_id << "->"
      << envelope.pid << " " << MsgTypeName(envelope.msg_type)
      << " term=" << envelope.term << (envelope.voted ? " voted" : "") << " "
      << LaneName(envelope.lane) << " " << envelope.payload.size()
      << " bytes \""
      << absl::CHexEscape(absl::string_view(envelope.payload).substr(0, kShown))
      << "\"";
  return out << (envelope.payload.size() > kShown ? "...}" : "}");
}

}  // namespace cluster
