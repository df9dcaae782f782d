// raw, raw3: one envelope per message on the bare library. batched, batched3:
// hand-made records in messages of 64 KiB (or --batch_bytes), the best that
// packing on the bare library can reach. Their _ipc forms: over sockets in the
// file system.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "bench/cases.h"
#include "bench/delivery_count.h"
#include "bench/measure.h"
#include "bench/raw_fanout.h"
#include "bench/record.h"

ABSL_FLAG(std::size_t, batch_bytes, 64u << 10,
          "What batched puts into one message.");

namespace cluster {
namespace bench {
namespace {

struct RawCase {
  std::string transport;
  Scheme scheme = Scheme::kTcp;
  int connections = 1;
  std::size_t payload_bytes = 0;
  std::int64_t records_per_message = 1;
};

void MeasureRaw(benchmark::State& state, const RawCase& test) {
  const std::size_t record_bytes = RecordBytes(test.payload_bytes);
  const auto counts = NewDeliveryCounts(test.connections);
  const auto fanout = NewRawFanout(
      test.transport, test.scheme, test.connections,
      record_bytes * static_cast<std::size_t>(test.records_per_message),
      [&](int connection, absl::string_view message) {
        counts[static_cast<std::size_t>(connection)]->Add(ReadRecords(message));
      });
  const Envelope envelope = RecordEnvelope(test.payload_bytes);
  EnvelopeView view(envelope);
  MeasureDeliveries(
      state, test.payload_bytes, test.connections, [&](std::int64_t items) {
        for (auto& count : counts) count->Expect(items);
        for (std::int64_t left = items; left > 0;) {
          const std::int64_t records = std::min(left, test.records_per_message);
          WriteRecords(
              records, &view,
              fanout->Begin(record_bytes * static_cast<std::size_t>(records)));
          fanout->Commit();
          left -= records;
        }
        for (auto& count : counts) count->Wait();
      });
}

void AddRawCase(const std::string& kind, const RawCase& test) {
  AddCase(CaseName(kind, test.transport, static_cast<int>(test.payload_bytes)),
          [test](benchmark::State& state) { MeasureRaw(state, test); });
}

}  // namespace

void AddRawThroughputCases(const std::string& transport, int bytes) {
  RawCase raw;
  raw.transport = transport;
  raw.payload_bytes = static_cast<std::size_t>(bytes);
  RawCase batched = raw;
  batched.records_per_message =
      RecordsPerMessage(raw.payload_bytes, absl::GetFlag(FLAGS_batch_bytes));
  AddRawCase("raw", raw);
  AddRawCase("batched", batched);
  if (bytes == 64) {
    RawCase ipc = batched;
    ipc.scheme = Scheme::kIpc;
    AddRawCase("batched_ipc", ipc);
  }
  raw.connections = batched.connections = 3;
  AddRawCase("raw3", raw);
  AddRawCase("batched3", batched);
}

}  // namespace bench
}  // namespace cluster
