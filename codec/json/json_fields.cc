#include "cluster/codec/json/json_fields.h"

#include <charconv>
#include <cstring>
#include <limits>

#include "absl/strings/escaping.h"
#include "cluster/codec/json/json.h"
#include "cluster/codec/json/text.h"

namespace cluster::internal {
namespace {

struct KnownKey {
  absl::string_view name;
  unsigned says;  // keys that say the same thing share a bit
};

// In the order of JsonFields::Field, of which the first has no name.
constexpr KnownKey kKeys[] = {
    {"MessageId", 1},      {"MsgId", 1},  {"Pid", 2},     {"MsgType", 4},
    {"SenderId", 8},       {"Term", 16},  {"Voted", 32},  {"Payload", 64},
    {"PayloadBase64", 64}, {"Lane", 128}, {"Group", 256}, {"Correlation", 512},
};
constexpr absl::string_view kSeedPayloadKey = "Msg";

// Digits only, to the end of the text.
const char* ReadDigits(const char* in, const char* end, std::uint64_t* value) {
  const auto result = std::from_chars(in, end, *value);
  return result.ec == std::errc() ? result.ptr : nullptr;
}

}  // namespace

const char* JsonFields::key() const {
  return field_ == Field::kIgnored
             ? ""
             : kKeys[static_cast<int>(field_) - 1].name.data();
}

JsonFields::Field JsonFields::FieldOf(absl::string_view key) {
  int field = 1;
  for (const KnownKey& known : kKeys) {
    if (known.name == key) return static_cast<Field>(field);
    ++field;
  }
  return key == kSeedPayloadKey ? Field::kPayload : Field::kIgnored;
}

bool JsonFields::Fail(absl::string_view fault) {
  fault_ = fault;
  return false;
}

bool JsonFields::WrongType() {
  switch (field_) {
    case Field::kIgnored:
      return Fail("an envelope is an object");
    case Field::kMessageId:
      return Fail("not a string \"<incarnation>-<sequence>\"");
    case Field::kMsgId:
    case Field::kTerm:
    case Field::kGroup:
    case Field::kCorrelation:
      return Fail("not an integer of 0..2^64-1");
    case Field::kPid:
      return Fail("not an integer of -1..2147483647");
    case Field::kMsgType:
      return Fail("neither an integer of 0..65535 nor the name of a type");
    case Field::kSenderId:
      return Fail("not an integer of 0..2147483647");
    case Field::kVoted:
      return Fail("neither true nor false");
    case Field::kPayload:
      return Fail("not a string of Unicode characters");
    case Field::kPayloadBase64:
      return Fail("not a string in padded base64");
    case Field::kLane:
      return Fail("none of \"urgent\", \"normal\", \"bulk\"");
  }
  return Fail("wrong");
}

bool JsonFields::Open(bool object) {
  if (depth_ == 0 ? !object : !Ignored()) return WrongType();
  if (depth_ == kJsonDepthMax) return Fail("nested too deeply");
  ++depth_;
  return true;
}

bool JsonFields::Close() {
  --depth_;
  return true;
}

bool JsonFields::Key(const char* text, rapidjson::SizeType bytes, bool) {
  if (depth_ > 1) return true;
  field_ = FieldOf(absl::string_view(text, bytes));
  if (field_ == Field::kIgnored) return true;
  const unsigned says = kKeys[static_cast<int>(field_) - 1].says;
  if ((seen_ & says) != 0) return Fail("said twice");
  seen_ |= says;
  return true;
}

bool JsonFields::Bool(bool value) {
  if (depth_ != 1 || field_ != Field::kVoted) return Other();
  envelope_->voted = value;
  return true;
}

bool JsonFields::Int64(std::int64_t value) {
  if (value >= 0) return Uint64(static_cast<std::uint64_t>(value));
  if (depth_ != 1 || field_ != Field::kPid || value != kBroadcast) {
    return Other();
  }
  envelope_->pid = kBroadcast;
  return true;
}

bool JsonFields::Uint64(std::uint64_t value) {
  if (depth_ != 1) return Other();
  switch (field_) {
    case Field::kMsgId:
      envelope_->message_id.sequence = value;
      return true;
    case Field::kTerm:
      envelope_->term = value;
      return true;
    case Field::kGroup:
      envelope_->group = value;
      return true;
    case Field::kCorrelation:
      envelope_->correlation = value;
      return true;
    case Field::kPid:
      if (value > kServerIdMax) return WrongType();
      envelope_->pid = static_cast<int>(value);
      return true;
    case Field::kSenderId:
      if (value > kServerIdMax) return WrongType();
      envelope_->sender_id = static_cast<int>(value);
      return true;
    case Field::kMsgType:
      if (value > std::numeric_limits<std::uint16_t>::max()) {
        return WrongType();
      }
      envelope_->msg_type = static_cast<MsgType>(value);
      return true;
    default:
      return Other();
  }
}

bool JsonFields::String(const char* text, rapidjson::SizeType bytes, bool) {
  if (depth_ != 1) return Other();
  const absl::string_view value(text, bytes);
  switch (field_) {
    case Field::kMessageId:
      return SetMessageId(value);
    case Field::kMsgType:
      return SetMsgType(value);
    case Field::kPayload:
      return SetPayload(value);
    case Field::kPayloadBase64:
      return SetPayloadBase64(value);
    case Field::kLane:
      return SetLane(value);
    default:
      return Other();
  }
}

bool JsonFields::SetMessageId(absl::string_view text) {
  const char* const end = text.data() + text.size();
  MessageId id;
  const char* in = ReadDigits(text.data(), end, &id.incarnation);
  if (in == nullptr || in == end || *in != '-') return WrongType();
  if (ReadDigits(in + 1, end, &id.sequence) != end) return WrongType();
  envelope_->message_id = id;
  return true;
}

bool JsonFields::SetMsgType(absl::string_view name) {
  for (const MsgType type :
       {MsgType::kAppendEntriesRequest, MsgType::kAppendEntriesResponse,
        MsgType::kRequestVoteRequest, MsgType::kRequestVoteResponse}) {
    if (MsgTypeName(type) != name) continue;
    envelope_->msg_type = type;
    return true;
  }
  return WrongType();
}

bool JsonFields::SetLane(absl::string_view name) {
  for (const Lane lane : {Lane::kUrgent, Lane::kNormal, Lane::kBulk}) {
    if (LaneName(lane) != name) continue;
    envelope_->lane = lane;
    return true;
  }
  return WrongType();
}

bool JsonFields::SetPayload(absl::string_view text) {
  // An escape can spell half of a surrogate pair, which the parser lets pass.
  if (!IsUtf8(text)) return WrongType();
  envelope_->payload = text;
  return true;
}

// In place too: the bytes are fewer than the text, a piece at a time.
bool JsonFields::SetPayloadBase64(absl::string_view text) {
  constexpr std::size_t kPieceBytes = 4096;
  if (text.size() % 4 != 0) return WrongType();
  char* const begin = &(*scratch_)[0] + (text.data() - scratch_->data());
  char* out = begin;
  std::string piece;
  while (!text.empty()) {
    const absl::string_view in = text.substr(0, kPieceBytes);
    text.remove_prefix(in.size());
    // The decoder skips white space and forgives a missing padding; the lengths
    // then do not fit. Padding stands at the very end.
    const std::size_t padding =
        in.size() - (in.find_last_not_of('=') + 1);  // npos + 1 is 0
    if (!absl::Base64Unescape(in, &piece) ||
        piece.size() + padding != in.size() / 4 * 3 ||
        (padding > 0 && !text.empty())) {
      return WrongType();
    }
    std::memcpy(out, piece.data(), piece.size());
    out += piece.size();
  }
  envelope_->payload =
      absl::string_view(begin, static_cast<std::size_t>(out - begin));
  return true;
}

}  // namespace cluster::internal
