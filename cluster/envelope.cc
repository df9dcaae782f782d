#include "cluster/envelope.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace cluster {

bool operator==(const Envelope& a, const Envelope& b) {
  return a.message_id == b.message_id && a.pid == b.pid &&
         a.msg_type == b.msg_type && a.sender_id == b.sender_id &&
         a.term == b.term && a.voted == b.voted && a.payload == b.payload &&
         a.lane == b.lane && a.group == b.group &&
         a.correlation == b.correlation;
}

// In place: to fill an empty one takes longer.
Envelope EnvelopeView::ToEnvelope() const {
  return {message_id,           pid,  msg_type, sender_id,  term, voted,
          std::string(payload), lane, group,    correlation};
}

// The payload first: it may lack memory.
void EnvelopeView::CopyTo(Envelope* envelope) const {
  envelope->payload.assign(payload.data(), payload.size());
  envelope->message_id = message_id;
  envelope->pid = pid;
  envelope->msg_type = msg_type;
  envelope->sender_id = sender_id;
  envelope->term = term;
  envelope->voted = voted;
  envelope->lane = lane;
  envelope->group = group;
  envelope->correlation = correlation;
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
      << LaneName(envelope.lane);
  if (envelope.group != 0) out << " group=" << envelope.group;
  if (envelope.correlation != 0) out << " correlation=" << envelope.correlation;
  out << " " << envelope.payload.size() << " bytes \""
      << absl::CHexEscape(absl::string_view(envelope.payload).substr(0, kShown))
      << "\"";
  return out << (envelope.payload.size() > kShown ? "...}" : "}");
}

}  // namespace cluster
