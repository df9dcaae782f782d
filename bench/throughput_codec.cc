// encode, decode: the binary codec alone, in bodies of 64 KiB.

#include <string>

#include "bench/cases.h"
#include "bench/measure.h"
#include "bench/record.h"
#include "cluster/base/check.h"
#include "cluster/codec/binary/binary.h"

namespace cluster {
namespace bench {
namespace {

constexpr std::size_t kPayload = 64;
constexpr std::size_t kBodyBytes = 64u << 10;

Envelope MakeEnvelope() {
  Envelope envelope;
  envelope.message_id = {1, 1};
  envelope.pid = 2;
  envelope.sender_id = 1;
  envelope.term = 7;
  envelope.payload.assign(kPayload, 'x');
  return envelope;
}

// Fills `body` with at most `left` records.
std::int64_t FillBody(std::int64_t left, EnvelopeView* view,
                      std::string* body) {
  const Codec& codec = BinaryCodec();
  const std::size_t record_bytes_max = codec.RecordBytesMax(*view);
  EncodeState encode;
  char* out = &(*body)[0];
  char* const end = out + body->size();
  std::int64_t records = 0;
  while (records < left &&
         static_cast<std::size_t>(end - out) >= record_bytes_max) {
    ++view->message_id.sequence;
    out = codec.AppendRecord(*view, &encode, out);
    ++records;
  }
  benchmark::DoNotOptimize(out);
  body->resize(static_cast<std::size_t>(out - body->data()));
  return records;
}

void MeasureEncode(benchmark::State& state) {
  const Envelope envelope = MakeEnvelope();
  EnvelopeView view(envelope);
  std::string body;
  MeasureDeliveries(state, kPayload, 1, [&](std::int64_t items) {
    while (items > 0) {
      body.resize(kBodyBytes);
      items -= FillBody(items, &view, &body);
    }
  });
}

void MeasureDecode(benchmark::State& state) {
  const Envelope envelope = MakeEnvelope();
  EnvelopeView view(envelope);
  std::string body(kBodyBytes, '\0');
  FillBody(kBodyBytes, &view, &body);
  MeasureDeliveries(state, kPayload, 1, [&](std::int64_t items) {
    while (items > 0) {
      absl::string_view rest = body;
      DecodeState decode;
      for (; items > 0 && !rest.empty(); --items) {
        CLUSTER_CHECK(BinaryCodec().NextRecord(&rest, &decode).ok(),
                      "a record does not decode");
        benchmark::DoNotOptimize(ReadFields(decode.envelope));
      }
    }
  });
}

}  // namespace

void AddCodecCases() {
  AddCase("encode/64", MeasureEncode);
  AddCase("decode/64", MeasureDecode);
}

}  // namespace bench
}  // namespace cluster
