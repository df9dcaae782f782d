#include "cluster/codec/binary/record.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "cluster/codec/binary/varint.h"
#include "cluster/codec/little_endian.h"

namespace cluster::internal {
namespace {

constexpr unsigned kChangesKnown =
    kSequence | kPid | kType | kTerm | kState | kGroup | kCorrelation;

constexpr unsigned kLaneBits = 3;
constexpr unsigned kVotedBit = 4;

std::uint8_t StateByte(Lane lane, bool voted) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(lane) |
                                   (voted ? kVotedBit : 0u));
}

// Unsigned, so that kBroadcast is 0 and no value overflows.
std::uint32_t CodedPid(int pid) { return static_cast<std::uint32_t>(pid) + 1; }

char* WriteU16(char* out, MsgType type) {
  StoreLittle(out, static_cast<std::uint16_t>(type));
  return out + sizeof(std::uint16_t);
}

// Without branches: each comparison is a bit of the answer.
unsigned ChangesSince(const EncodeState& before, const EnvelopeView& now) {
  const bool sequence =
      before.message_id.sequence + 1 != now.message_id.sequence;
  const bool state = (before.lane != now.lane) | (before.voted != now.voted);
  return sequence * kSequence + (before.pid != now.pid) * kPid +
         (before.msg_type != now.msg_type) * kType +
         (before.term != now.term) * kTerm + state * kState +
         (before.group != now.group) * kGroup +
         (before.correlation != now.correlation) * kCorrelation;
}

char* WriteFull(const EnvelopeView& envelope, char* out) {
  const bool grouped = (envelope.group | envelope.correlation) != 0;
  *out++ = static_cast<char>(grouped ? kFullWithGroup : kFull);
  StoreLittle(out, envelope.message_id.incarnation);
  out += sizeof(std::uint64_t);
  out = WriteVarint(out, envelope.message_id.sequence);
  out = WriteVarint(out, static_cast<std::uint32_t>(envelope.sender_id));
  out = WriteVarint(out, CodedPid(envelope.pid));
  out = WriteU16(out, envelope.msg_type);
  out = WriteVarint(out, envelope.term);
  *out++ = static_cast<char>(StateByte(envelope.lane, envelope.voted));
  if (grouped) {
    out = WriteVarint(out, envelope.group);
    out = WriteVarint(out, envelope.correlation);
  }
  return WriteVarint(out, envelope.payload.size());
}

char* WriteChanges(const EnvelopeView& envelope, const EncodeState& before,
                   char* out) {
  const unsigned flags = ChangesSince(before, envelope);
  *out++ = static_cast<char>(flags);
  if (flags & kSequence) {
    out = WriteVarint(out, ZigZag(envelope.message_id.sequence -
                                  before.message_id.sequence - 1));
  }
  if (flags & kPid) out = WriteVarint(out, CodedPid(envelope.pid));
  if (flags & kType) out = WriteU16(out, envelope.msg_type);
  if (flags & kTerm) out = WriteVarint(out, envelope.term);
  if (flags & kState) {
    *out++ = static_cast<char>(StateByte(envelope.lane, envelope.voted));
  }
  if (flags & kGroup) out = WriteVarint(out, envelope.group);
  if (flags & kCorrelation) out = WriteVarint(out, envelope.correlation);
  return WriteVarint(out, envelope.payload.size());
}

void Remember(const EnvelopeView& envelope, EncodeState* state) {
  state->first = false;
  state->message_id = envelope.message_id;
  state->pid = envelope.pid;
  state->msg_type = envelope.msg_type;
  state->sender_id = envelope.sender_id;
  state->term = envelope.term;
  state->voted = envelope.voted;
  state->lane = envelope.lane;
  state->group = envelope.group;
  state->correlation = envelope.correlation;
  state->grouped |= (envelope.group | envelope.correlation) != 0;
  state->special = state->grouped;
}

// Reads one record field by field; the first fault sticks, and every later read
// answers zero.
class FieldReader {
 public:
  explicit FieldReader(absl::string_view record)
      : begin_(record.data()), in_(begin_), end_(begin_ + record.size()) {}

  template <typename Unsigned>
  Unsigned Fixed(const char* field) {
    if (static_cast<std::size_t>(end_ - in_) < sizeof(Unsigned)) {
      return static_cast<Unsigned>(Missing(field));
    }
    const auto value = LoadLittle<Unsigned>(in_);
    in_ += sizeof(Unsigned);
    return value;
  }

  std::uint64_t Varint(const char* field, std::uint64_t most) {
    const VarintRead read = ReadVarint(in_, end_);
    if (ABSL_PREDICT_FALSE(read.end == nullptr)) return BadVarint(field);
    if (ABSL_PREDICT_FALSE(read.value > most)) return OutOfRange(field);
    in_ = read.end;
    return read.value;
  }

  int Id(const char* field) {
    return static_cast<int>(Varint(field, kServerIdMax));
  }

  int Pid() {
    constexpr std::uint64_t kMost = std::uint64_t{kServerIdMax} + 1;
    return static_cast<int>(static_cast<std::int64_t>(Varint("pid", kMost)) -
                            1);
  }

  void State(EnvelopeView* envelope) {
    const char* const at = in_;
    const auto state = Fixed<std::uint8_t>("state");
    if ((state & kLaneBits) >= kLanes || state > (kLaneBits | kVotedBit)) {
      in_ = at;
      OutOfRange("state");
      return;
    }
    envelope->lane = static_cast<Lane>(state & kLaneBits);
    envelope->voted = (state & kVotedBit) != 0;
  }

  absl::string_view Payload() {
    const std::uint64_t bytes = Varint("payload length", UINT64_MAX);
    if (bytes > static_cast<std::uint64_t>(end_ - in_)) {
      Missing("payload");
      return absl::string_view();
    }
    const absl::string_view payload(in_, static_cast<std::size_t>(bytes));
    in_ += bytes;
    return payload;
  }

  absl::string_view Rest() const {
    return absl::string_view(in_, static_cast<std::size_t>(end_ - in_));
  }

  ABSL_ATTRIBUTE_NOINLINE ABSL_ATTRIBUTE_COLD std::uint64_t Missing(
      const char* field) {
    return Fail(absl::StatusCode::kDataLoss, "cut short in ", field);
  }
  ABSL_ATTRIBUTE_NOINLINE ABSL_ATTRIBUTE_COLD std::uint64_t OutOfRange(
      const char* field) {
    return Fail(absl::StatusCode::kInvalidArgument, "impossible ", field);
  }
  ABSL_ATTRIBUTE_NOINLINE ABSL_ATTRIBUTE_COLD std::uint64_t BadVarint(
      const char* field) {
    if (EndsInVarint(in_, end_)) return Missing(field);
    return Fail(absl::StatusCode::kInvalidArgument, "overlong ", field);
  }

  absl::Status TakeStatus() { return std::move(status_); }
  bool ok() const { return status_.ok(); }

 private:
  std::uint64_t Fail(absl::StatusCode code, const char* what,
                     const char* field) {
    if (status_.ok()) {
      status_ =
          absl::Status(code, std::string("binary record: ") + what + field +
                                 " at byte " + std::to_string(in_ - begin_));
    }
    in_ = end_;
    return 0;
  }

  const char* const begin_;
  const char* in_;
  const char* const end_;
  absl::Status status_;
};

void ReadFull(FieldReader* reader, bool grouped, EnvelopeView* envelope) {
  envelope->message_id.incarnation =
      reader->Fixed<std::uint64_t>("incarnation");
  envelope->message_id.sequence = reader->Varint("sequence", UINT64_MAX);
  envelope->sender_id = reader->Id("sender_id");
  envelope->pid = reader->Pid();
  envelope->msg_type =
      static_cast<MsgType>(reader->Fixed<std::uint16_t>("type"));
  envelope->term = reader->Varint("term", UINT64_MAX);
  reader->State(envelope);
  envelope->group = grouped ? reader->Varint("group", UINT64_MAX) : 0;
  envelope->correlation =
      grouped ? reader->Varint("correlation", UINT64_MAX) : 0;
}

// `envelope` is the one before.
void ReadChanges(FieldReader* reader, unsigned flags, EnvelopeView* envelope) {
  ++envelope->message_id.sequence;
  if (flags & kSequence) {
    envelope->message_id.sequence +=
        UnZigZag(reader->Varint("sequence", UINT64_MAX));
  }
  if (flags & kPid) envelope->pid = reader->Pid();
  if (flags & kType) {
    envelope->msg_type =
        static_cast<MsgType>(reader->Fixed<std::uint16_t>("type"));
  }
  if (flags & kTerm) envelope->term = reader->Varint("term", UINT64_MAX);
  if (flags & kState) reader->State(envelope);
  if (flags & kGroup) envelope->group = reader->Varint("group", UINT64_MAX);
  if (flags & kCorrelation)
    envelope->correlation = reader->Varint("correlation", UINT64_MAX);
}

}  // namespace

char* WriteAnyRecordFields(const EnvelopeView& envelope, EncodeState* state,
                           char* out) {
  const bool full =
      state->first || state->sender_id != envelope.sender_id ||
      state->message_id.incarnation != envelope.message_id.incarnation;
  out = full ? WriteFull(envelope, out) : WriteChanges(envelope, *state, out);
  Remember(envelope, state);
  return out;
}

absl::Status ReadAnyRecord(absl::string_view* body, DecodeState* state) {
  FieldReader reader(*body);
  EnvelopeView& envelope = state->envelope;
  const unsigned flags = reader.Fixed<std::uint8_t>("flags");
  if (flags == kFull || flags == kFullWithGroup) {
    ReadFull(&reader, flags == kFullWithGroup, &envelope);
  } else if ((flags & ~kChangesKnown) != 0) {
    return absl::InvalidArgumentError("binary record: unknown flags at byte 0");
  } else if (state->first) {
    return absl::InvalidArgumentError(
        "binary record: leans on a record before it, and there is none, at "
        "byte 0");
  } else {
    ReadChanges(&reader, flags, &envelope);
  }
  envelope.payload = reader.Payload();
  if (!reader.ok()) return reader.TakeStatus();
  state->first = false;
  *body = reader.Rest();
  return absl::OkStatus();
}

}  // namespace cluster::internal
