// The hand-made record of the baselines: an envelope's fields in 30 bytes, then
// its payload.
//
// Any program that packs envelopes into messages of a bare library writes at
// least this. So the figures separate the cost of our sessions, checksums and
// windows from the cost of packing. Readers do not check the records.

#ifndef BENCH_RECORD_H_
#define BENCH_RECORD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"
#include "benchmark/benchmark.h"
#include "cluster/envelope.h"

namespace cluster {
namespace bench {

inline constexpr std::size_t kRecordHeaderBytes = 30;

inline std::size_t RecordBytes(std::size_t payload_bytes) {
  return kRecordHeaderBytes + payload_bytes;
}

// How many records fit into a message of `message_bytes`; at least one.
inline std::int64_t RecordsPerMessage(std::size_t payload_bytes,
                                      std::size_t message_bytes) {
  return static_cast<std::int64_t>(
      std::max<std::size_t>(1, message_bytes / RecordBytes(payload_bytes)));
}

// The envelope of the baselines.
inline Envelope RecordEnvelope(std::size_t payload_bytes) {
  Envelope envelope;
  envelope.pid = 2;
  envelope.sender_id = 1;
  envelope.term = 7;
  envelope.payload.assign(payload_bytes, 'x');
  return envelope;
}

template <typename Field>
char* PutField(Field field, char* out) {
  std::memcpy(out, &field, sizeof(field));
  return out + sizeof(field);
}

template <typename Field>
Field TakeField(const char** in) {
  Field field;
  std::memcpy(&field, *in, sizeof(field));
  *in += sizeof(field);
  return field;
}

// Writes the record at `out`, which has room for RecordBytes, and returns its
// end.
inline char* WriteRecord(const EnvelopeView& envelope, char* out) {
  const auto type = static_cast<std::uint16_t>(envelope.msg_type);
  constexpr std::uint16_t kVoted = 0x8000;
  out = PutField(envelope.message_id.sequence, out);
  out = PutField(envelope.term, out);
  out = PutField(static_cast<std::int32_t>(envelope.pid), out);
  out = PutField(static_cast<std::int32_t>(envelope.sender_id), out);
  out = PutField(
      static_cast<std::uint16_t>(envelope.voted ? type | kVoted : type), out);
  out = PutField(static_cast<std::uint32_t>(envelope.payload.size()), out);
  std::memcpy(out, envelope.payload.data(), envelope.payload.size());
  return out + envelope.payload.size();
}

// Writes `records` records, each with the next sequence, and returns their end.
inline char* WriteRecords(std::int64_t records, EnvelopeView* envelope,
                          char* out) {
  for (std::int64_t i = 0; i < records; ++i) {
    ++envelope->message_id.sequence;
    out = WriteRecord(*envelope, out);
  }
  return out;
}

// Reads the record at `in` and returns its end.
inline const char* ReadRecord(const char* in, EnvelopeView* envelope) {
  envelope->message_id.sequence = TakeField<std::uint64_t>(&in);
  envelope->term = TakeField<std::uint64_t>(&in);
  envelope->pid = TakeField<std::int32_t>(&in);
  envelope->sender_id = TakeField<std::int32_t>(&in);
  const auto type = TakeField<std::uint16_t>(&in);
  envelope->voted = (type & 0x8000) != 0;
  envelope->msg_type = static_cast<MsgType>(type & 0x7fff);
  const auto bytes = TakeField<std::uint32_t>(&in);
  envelope->payload = absl::string_view(in, bytes);
  return in + bytes;
}

// Reads each field once, as every receiver does with every envelope. The sum
// keeps the compiler from removing the reads.
inline std::uint64_t ReadFields(const EnvelopeView& envelope) {
  std::uint64_t sum = envelope.message_id.sequence + envelope.term +
                      static_cast<std::uint64_t>(envelope.pid) +
                      static_cast<std::uint64_t>(envelope.sender_id) +
                      static_cast<std::uint64_t>(envelope.msg_type) +
                      (envelope.voted ? 1 : 0);
  if (!envelope.payload.empty()) {
    sum += static_cast<unsigned char>(envelope.payload.front()) +
           static_cast<unsigned char>(envelope.payload.back());
  }
  return sum;
}

// Reads every record of a message and returns their number.
inline std::int64_t ReadRecords(absl::string_view message) {
  const char* in = message.data();
  const char* const end = in + message.size();
  std::int64_t records = 0;
  for (EnvelopeView envelope; in != end; ++records) {
    in = ReadRecord(in, &envelope);
    benchmark::DoNotOptimize(ReadFields(envelope));
  }
  return records;
}

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_RECORD_H_
