#include "cluster/codec/json/json_read.h"

#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cluster/codec/json/json.h"
#include "cluster/codec/json/text.h"
#include "rapidjson/error/en.h"
#include "rapidjson/reader.h"

namespace cluster::internal {
namespace {

// Iterative, so that nesting costs no stack of ours. In place, so that a text
// takes its own bytes once more and not, on the parser's growing stack, several
// times. The parser could check the encoding too, a byte at a time; to do it
// before takes a fraction of that.
constexpr unsigned kFlags =
    rapidjson::kParseIterativeFlag | rapidjson::kParseInsituFlag;

enum class Field {
  kMessageId,
  kMsgId,
  kPid,
  kMsgType,
  kSenderId,
  kTerm,
  kVoted,
  kPayload,
  kPayloadBase64,
  kMsgBase64,
  kLane,
  kGroup,
  kCorrelation,
  kIgnored,
};

struct KnownKey {
  const char* name;
  unsigned says;  // keys that say the same thing share a bit
  const char* wrong;
};

constexpr char kNoUint64[] = "not an integer of 0..2^64-1";

// By Field.
constexpr KnownKey kKeys[] = {
    {"MessageId", 1, "not a string \"<incarnation>-<sequence>\""},
    {"MsgId", 1, kNoUint64},
    {"Pid", 2, "not an integer of -1..2147483647"},
    {"MsgType", 4, "neither an integer of 0..65535 nor the name of a type"},
    {"SenderId", 8, "not an integer of 0..2147483647"},
    {"Term", 16, kNoUint64},
    {"Voted", 32, "neither true nor false"},
    {"Payload", 64, "not a string of Unicode characters"},
    {"PayloadBase64", 64, "not a string in padded base64"},
    {"MsgBase64", 1024, "neither true nor false, before Msg"},
    {"Lane", 128, "none of \"urgent\", \"normal\", \"bulk\""},
    {"Group", 256, kNoUint64},
    {"Correlation", 512, kNoUint64},
    {"", 0, "an envelope is an object"},
};
constexpr absl::string_view kSeedPayloadKey = "Msg";

Field FieldOf(absl::string_view key) {
  int field = 0;
  while (field < static_cast<int>(Field::kIgnored) && kKeys[field].name != key)
    ++field;
  return key == kSeedPayloadKey ? Field::kPayload : static_cast<Field>(field);
}

// Digits only. The place behind them, or null.
const char* ReadDigits(const char* in, const char* end, std::uint64_t* value) {
  const auto result = std::from_chars(in, end, *value);
  return result.ec == std::errc() ? result.ptr : nullptr;
}

// The Go dialect takes the text of a value from here. The event of a value comes
// while the stream is at its first byte. That of the end of an object or array
// comes while it is at the last one.
struct GoSource {
  absl::string_view text;  // as it came: scratch changes under the parser
  rapidjson::InsituStringStream* stream;
};

// Fills in an envelope from the events of a rapidjson::Reader. An event that
// returns false ends the parse; `fault` says why.
class FieldsHandler {
 public:
  // `scratch` holds the text that is parsed in place, and then the payload.
  // `go`: null but for the Go dialect.
  FieldsHandler(std::string* scratch, EnvelopeView* envelope,
                const GoSource* go)
      : scratch_(scratch), envelope_(envelope), go_(go) {}

  // "" if no event was refused.
  const std::string& fault() const { return fault_; }

  bool Null() { return IsGoMsg() || Other(); }
  bool Bool(bool value) {
    if (depth_ == 1 && field_ == Field::kVoted) {
      envelope_->voted = value;
      return true;
    }
    if (depth_ == 1 && field_ == Field::kMsgBase64) {
      msg_base64_ = value;
      return !Seen(Field::kPayload) || WrongValue();
    }
    if (!IsGoMsg()) return Other();
    envelope_->payload = value ? "true" : "false";
    return true;
  }
  bool Int(int value) { return Int64(value); }
  bool Uint(unsigned value) { return Uint64(value); }

  bool Int64(std::int64_t value) {
    if (value >= 0) return Uint64(static_cast<std::uint64_t>(value));
    if (depth_ == 1 && field_ == Field::kPid && value == kBroadcast) {
      envelope_->pid = kBroadcast;
      return true;
    }
    // An id may be any number there.
    if (go_ != nullptr && depth_ == 1 && field_ == Field::kMsgId) {
      envelope_->message_id.sequence = static_cast<std::uint64_t>(value);
      return true;
    }
    return Number();
  }

  bool Uint64(std::uint64_t value) {
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
        if (value > kServerIdMax) return WrongValue();
        envelope_->pid = static_cast<int>(value);
        return true;
      case Field::kSenderId:
        if (value > kServerIdMax) return WrongValue();
        envelope_->sender_id = static_cast<int>(value);
        return true;
      case Field::kMsgType:
        if (value > std::numeric_limits<std::uint16_t>::max())
          return WrongValue();
        envelope_->msg_type = static_cast<MsgType>(value);
        return true;
      default:
        return Number();
    }
  }

  bool Double(double) { return Number(); }
  bool RawNumber(const char*, rapidjson::SizeType, bool) { return Other(); }

  bool String(const char* text, rapidjson::SizeType bytes, bool) {
    if (depth_ != 1) return Other();
    const absl::string_view value(text, bytes);
    switch (field_) {
      case Field::kMessageId:
        return SetMessageId(value) || WrongValue();
      case Field::kMsgType:
        return SetMsgType(value) || WrongValue();
      case Field::kPayload:
        if (msg_base64_) return SetPayloadBase64(value) || WrongValue();
        envelope_->payload = value;
        // An escape can spell half of a surrogate pair, which the parser lets
        // pass.
        return IsUtf8(value) || WrongValue();
      case Field::kPayloadBase64:
        return SetPayloadBase64(value) || WrongValue();
      case Field::kLane:
        return SetLane(value) || WrongValue();
      default:
        return Other();
    }
  }

  bool Key(const char* text, rapidjson::SizeType bytes, bool) {
    if (depth_ > 1) return true;
    field_ = FieldOf(absl::string_view(text, bytes));
    const unsigned says = known().says;
    if ((seen_ & says) != 0) return Fail("said twice");
    seen_ |= says;
    return true;
  }

  bool StartObject() { return Open(/*object=*/true); }
  bool StartArray() { return Open(/*object=*/false); }
  bool EndObject(rapidjson::SizeType) { return Close(); }
  bool EndArray(rapidjson::SizeType) { return Close(); }

 private:
  const KnownKey& known() const { return kKeys[static_cast<int>(field_)]; }

  // Whether the value at hand is below or beside the known keys.
  bool Ignored() const { return depth_ > 1 || field_ == Field::kIgnored; }
  bool Other() { return Ignored() && depth_ > 0 ? true : WrongValue(); }

  bool Open(bool object) {
    if (IsGoMsg()) {
      msg_begin_ = go_->stream->Tell();
    } else if (depth_ == 0 ? !object : !Ignored()) {
      return WrongValue();
    }
    if (depth_ == kJsonDepthMax) return Fail("nested too deeply");
    ++depth_;
    return true;
  }
  bool Close() {
    --depth_;
    if (IsGoMsg()) {
      envelope_->payload =
          go_->text.substr(msg_begin_, go_->stream->Tell() + 1 - msg_begin_);
    }
    return true;
  }

  // Whether the value at hand may be of any type, and its text is the payload.
  bool IsGoMsg() const {
    return go_ != nullptr && depth_ == 1 && field_ == Field::kPayload;
  }
  bool Number() {
    if (!IsGoMsg()) return Other();
    const absl::string_view rest = go_->text.substr(go_->stream->Tell());
    envelope_->payload =
        rest.substr(0, rest.find_first_not_of("+-.0123456789Ee"));
    return true;
  }
  bool Seen(Field field) const {
    return (seen_ & kKeys[static_cast<int>(field)].says) != 0;
  }

  bool WrongValue() { return Fail(known().wrong); }
  bool Fail(const char* fault) {
    const absl::string_view key = known().name;
    fault_ = absl::StrCat(key, key.empty() ? "" : ": ", fault);
    return false;
  }

  bool SetMessageId(absl::string_view text) {
    const char* const end = text.data() + text.size();
    MessageId& id = envelope_->message_id;
    const char* in = ReadDigits(text.data(), end, &id.incarnation);
    return in != nullptr && in != end && *in == '-' &&
           ReadDigits(in + 1, end, &id.sequence) == end;
  }

  bool SetMsgType(absl::string_view name) {
    for (const MsgType type :
         {MsgType::kAppendEntriesRequest, MsgType::kAppendEntriesResponse,
          MsgType::kRequestVoteRequest, MsgType::kRequestVoteResponse}) {
      if (MsgTypeName(type) != name) continue;
      envelope_->msg_type = type;
      return true;
    }
    return false;
  }

  bool SetLane(absl::string_view name) {
    for (const Lane lane : {Lane::kUrgent, Lane::kNormal, Lane::kBulk}) {
      if (LaneName(lane) != name) continue;
      envelope_->lane = lane;
      return true;
    }
    return false;
  }

  // In place too: the bytes are fewer than the text, a piece at a time.
  bool SetPayloadBase64(absl::string_view text) {
    constexpr std::size_t kPieceBytes = 4096;
    if (text.size() % 4 != 0) return false;
    char* const begin = &(*scratch_)[0] + (text.data() - scratch_->data());
    char* out = begin;
    std::string piece;
    while (!text.empty()) {
      const absl::string_view in = text.substr(0, kPieceBytes);
      text.remove_prefix(in.size());
      // The decoder skips white space and forgives a missing padding; the
      // lengths then do not fit. Padding is at the very end only.
      const std::size_t padding =
          in.size() - (in.find_last_not_of('=') + 1);  // npos + 1 is 0
      if (!absl::Base64Unescape(in, &piece) ||
          piece.size() + padding != in.size() / 4 * 3 ||
          (padding > 0 && !text.empty())) {
        return false;
      }
      std::memcpy(out, piece.data(), piece.size());
      out += piece.size();
    }
    envelope_->payload =
        absl::string_view(begin, static_cast<std::size_t>(out - begin));
    return true;
  }

  std::string* const scratch_;
  EnvelopeView* const envelope_;
  const GoSource* const go_;
  std::size_t msg_begin_ = 0;
  bool msg_base64_ = false;
  std::string fault_;
  int depth_ = 0;
  Field field_ = Field::kIgnored;
  unsigned seen_ = 0;  // one bit for each thing that may be said once
};

absl::Status Wrong(absl::string_view what, std::size_t at) {
  return absl::InvalidArgumentError(
      absl::StrCat("json record: ", what, " at byte ", at));
}

absl::Status Read(absl::string_view text, bool go, std::string* scratch,
                  EnvelopeView* envelope) {
  *envelope = EnvelopeView();
  const std::size_t utf8_bytes = Utf8Bytes(text);
  if (utf8_bytes != text.size()) return Wrong("not UTF-8", utf8_bytes);
  scratch->assign(text.data(), text.size());
  rapidjson::InsituStringStream stream(&(*scratch)[0]);
  const GoSource source{text, &stream};
  FieldsHandler fields(scratch, envelope, go ? &source : nullptr);
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, fields);
  if (!fields.fault().empty()) return Wrong(fields.fault(), result.Offset());
  if (result.IsError())
    return Wrong(rapidjson::GetParseError_En(result.Code()), result.Offset());
  // A zero byte looks like the end to the parser.
  if (stream.Tell() != text.size())
    return Wrong("a zero byte behind the object", stream.Tell());
  return absl::OkStatus();
}

// As deep as a value may be within an envelope.
class TreeHandler
    : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, TreeHandler> {
 public:
  bool StartObject() { return ++depth_ < kJsonDepthMax; }
  bool StartArray() { return ++depth_ < kJsonDepthMax; }
  bool EndObject(rapidjson::SizeType) { return --depth_ >= 0; }
  bool EndArray(rapidjson::SizeType) { return --depth_ >= 0; }

 private:
  int depth_ = 0;
};

}  // namespace

absl::Status ReadJson(absl::string_view text, std::string* scratch,
                      EnvelopeView* envelope) {
  return Read(text, /*go=*/false, scratch, envelope);
}

absl::Status ReadGoJson(absl::string_view text, std::string* scratch,
                        EnvelopeView* envelope) {
  return Read(text, /*go=*/true, scratch, envelope);
}

bool IsJsonTree(absl::string_view text) {
  // Most texts end here. No white space around it: so a space in front sends
  // such a text as a string.
  const char last = text.empty() ? '\0' : text.back();
  if (!(last == '}' && text.front() == '{') &&
      !(last == ']' && text.front() == '[')) {
    return false;
  }
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  TreeHandler tree;
  return !reader.Parse<rapidjson::kParseIterativeFlag>(stream, tree)
              .IsError() &&
         stream.Tell() == text.size();
}

}  // namespace cluster::internal
