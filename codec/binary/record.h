// Reads and writes one binary record, by the grammar of docs/wire-format.md.
//
// The functions in this header are inline and handle the common record: only id
// and payload differ from the record before. All others go to record.cc.
// Standalone messages are in binary.cc. Thread-safe: pure functions. A payload
// that was read points into the body.
//
//   char* end = WriteRecordFields(envelope, &state, out);
//   std::memcpy(end, envelope.payload.data(), envelope.payload.size());

#ifndef CLUSTER_CODEC_BINARY_RECORD_H_
#define CLUSTER_CODEC_BINARY_RECORD_H_

#include <cstddef>
#include <cstdint>

#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/codec/binary/varint.h"
#include "cluster/codec/codec.h"
#include "cluster/envelope.h"

namespace cluster::internal {

// The bytes of a full record without its payload, with every varint at its
// longest.
inline constexpr std::size_t kRecordFieldsBytesMax =
    1 + 8 + 10 + 5 + 5 + 2 + 10 + 1 + 10 + 10 + 10;

enum RecordFlag : unsigned {
  kSequence = 1,  // is not the one before plus one
  kPid = 2,
  kType = 4,
  kTerm = 8,
  kState = 16,
  kGroup = 32,
  kCorrelation = 64,
  kFull = 128,
  kFullWithGroup = 129,  // with a group and a correlation
};

// Whether the fields are as before, apart from sequence and payload. False once
// a record has a group or a correlation, so that unused ones cost nothing: a
// record takes 59 instructions either way. Has no branches.
inline bool LooksLike(const EncodeState& before, const EnvelopeView& now) {
  const std::uint64_t wide =
      (before.message_id.incarnation ^ now.message_id.incarnation) |
      (before.term ^ now.term) | now.group | now.correlation;
  const int narrow =
      (before.sender_id ^ now.sender_id) | (before.pid ^ now.pid) |
      (static_cast<int>(before.msg_type) ^ static_cast<int>(now.msg_type));
  const auto bytes =
      static_cast<std::uint8_t>((static_cast<std::uint8_t>(before.lane) ^
                                 static_cast<std::uint8_t>(now.lane)) |
                                (static_cast<std::uint8_t>(before.voted) ^
                                 static_cast<std::uint8_t>(now.voted)) |
                                static_cast<std::uint8_t>(before.special));
  return (wide | static_cast<unsigned>(narrow) | bytes) == 0;
}

// Work for every record; callers use the two below.
char* WriteAnyRecordFields(const EnvelopeView& envelope, EncodeState* state,
                           char* out);
absl::Status ReadAnyRecord(absl::string_view* body, DecodeState* state);

// Writes all of a record but the payload's bytes at `out`, which has room for
// kRecordFieldsBytesMax, and returns where the payload goes.
inline char* WriteRecordFields(const EnvelopeView& envelope, EncodeState* state,
                               char* out) {
  if (ABSL_PREDICT_FALSE(!LooksLike(*state, envelope)))
    return WriteAnyRecordFields(envelope, state, out);
  // Read before any byte is written: the compiler must assume that `out` points
  // into the envelope.
  const std::size_t payload_bytes = envelope.payload.size();
  const std::uint64_t skipped =
      envelope.message_id.sequence - state->message_id.sequence - 1;
  state->message_id.sequence = envelope.message_id.sequence;
  if (skipped == 0) {
    *out++ = 0;
  } else {
    *out++ = kSequence;
    out = WriteVarint(out, ZigZag(skipped));
  }
  return WriteVarint(out, payload_bytes);
}

// Takes the record at the front of `body`, which is not empty. The common
// record costs no call.
inline absl::Status ReadRecord(absl::string_view* body, DecodeState* state) {
  const char* in = body->data();
  const char* const end = in + body->size();
  const auto flags = static_cast<unsigned char>(*in++);
  if (ABSL_PREDICT_FALSE(flags > kSequence || state->first))
    return ReadAnyRecord(body, state);
  std::uint64_t step = 1;
  if (flags == kSequence) {
    const VarintRead skipped = ReadShortVarint(in, end);
    if (ABSL_PREDICT_FALSE(skipped.end == nullptr))
      return ReadAnyRecord(body, state);
    step += UnZigZag(skipped.value);
    in = skipped.end;
  }
  const VarintRead bytes = ReadShortVarint(in, end);
  if (ABSL_PREDICT_FALSE(bytes.end == nullptr ||
                         bytes.value >
                             static_cast<std::uint64_t>(end - bytes.end))) {
    return ReadAnyRecord(body, state);
  }
  state->envelope.message_id.sequence += step;
  state->envelope.payload = absl::string_view(bytes.end, bytes.value);
  const char* const rest = bytes.end + bytes.value;
  *body = absl::string_view(rest, static_cast<std::size_t>(end - rest));
  return absl::OkStatus();
}

}  // namespace cluster::internal

#endif  // CLUSTER_CODEC_BINARY_RECORD_H_
