// Limits of an interface: the bare library with checksums, behind calls and
// handlers like ours.
//
// called: any thread may call the sending function. It numbers the envelope,
// adds it to the open message, and returns a status. A handler gets each
// envelope. called_ipc: over sockets in the file system. called_senders4: four
// threads call. owned: the receiver gets envelopes that own their payloads.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/base/attributes.h"
#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "bench/cases.h"
#include "bench/checked_message.h"
#include "bench/delivery_count.h"
#include "bench/measure.h"
#include "bench/raw_fanout.h"
#include "bench/record.h"
#include "cluster/base/check.h"
#include "cluster/base/mutex.h"

ABSL_DECLARE_FLAG(std::size_t, batch_bytes);

namespace cluster {
namespace bench {
namespace {

struct CalledCase {
  std::string transport;
  Scheme scheme = Scheme::kTcp;
  std::size_t payload_bytes = 64;
  int senders = 1;  // threads
  bool owned = false;
};

// The open message, which is sent when it is full.
class SharedBatch {
 public:
  SharedBatch(RawFanout* fanout, std::size_t record_bytes,
              std::int64_t records_per_message)
      : fanout_(fanout),
        record_bytes_(record_bytes),
        records_per_message_(records_per_message) {}

  // `envelopes` more will follow; the last one sends the message.
  void Expect(std::int64_t envelopes) { left_ = envelopes; }

  ABSL_ATTRIBUTE_NOINLINE absl::Status Send(const Envelope& envelope) {
    internal::MutexLock lock(&mutex_);
    if (left_ == 0) return absl::FailedPreconditionError("none is expected");
    if (room_ == 0) {
      room_ = std::min(left_, records_per_message_);
      first_ = out_ = fanout_->Begin(
          record_bytes_ * static_cast<std::size_t>(room_) + kCheckBytes);
    }
    EnvelopeView view(envelope);
    view.message_id.sequence = ++sequence_;
    out_ = WriteRecord(view, out_);
    --left_;
    if (--room_ == 0) {
      PutCheck(first_, out_);
      fanout_->Commit();
    }
    return absl::OkStatus();
  }

 private:
  RawFanout* const fanout_;
  const std::size_t record_bytes_;
  const std::int64_t records_per_message_;
  internal::Mutex mutex_;  // guards the rest
  char* first_ = nullptr;
  char* out_ = nullptr;
  std::int64_t room_ = 0;
  std::int64_t left_ = 0;
  std::uint64_t sequence_ = 0;
};

using Handler = std::function<void(const EnvelopeView&)>;

void Deliver(absl::string_view message, bool owned, const Handler& handler) {
  const absl::string_view records = CheckedRecords(message);
  const char* in = records.data();
  const char* const end = in + records.size();
  for (EnvelopeView envelope; in != end;) {
    in = ReadRecord(in, &envelope);
    if (owned) {
      handler(envelope.ToEnvelope());
    } else {
      handler(envelope);
    }
  }
}

void SendMany(SharedBatch* batch, const Envelope& envelope,
              std::int64_t envelopes) {
  for (; envelopes > 0; --envelopes)
    CLUSTER_CHECK(batch->Send(envelope).ok(), "it was not taken");
}

void MeasureCalled(benchmark::State& state, const CalledCase& test) {
  DeliveryCount count;
  const Handler handler = [&](const EnvelopeView& envelope) {
    benchmark::DoNotOptimize(ReadFields(envelope));
    count.Add(1);
  };
  const std::size_t message_bytes = absl::GetFlag(FLAGS_batch_bytes);
  const auto fanout =
      NewRawFanout(test.transport, test.scheme, 1, message_bytes + kCheckBytes,
                   [&](int, absl::string_view message) {
                     Deliver(message, test.owned, handler);
                   });
  SharedBatch batch(fanout.get(), RecordBytes(test.payload_bytes),
                    RecordsPerMessage(test.payload_bytes, message_bytes));
  const Envelope envelope = RecordEnvelope(test.payload_bytes);
  MeasureDeliveries(state, test.payload_bytes, 1, [&](std::int64_t items) {
    count.Expect(items);
    batch.Expect(items);
    if (test.senders == 1) {
      SendMany(&batch, envelope, items);
    } else {
      RunInShares(items, test.senders, [&](std::int64_t share) {
        SendMany(&batch, envelope, share);
      });
    }
    count.Wait();
  });
}

}  // namespace

void AddCalledCases(const std::string& transport) {
  const auto add = [](const std::string& kind, const CalledCase& test) {
    AddCase(
        CaseName(kind, test.transport, static_cast<int>(test.payload_bytes)),
        [test](benchmark::State& state) { MeasureCalled(state, test); });
  };
  CalledCase plain;
  plain.transport = transport;
  add("called", plain);
  CalledCase larger = plain;
  larger.payload_bytes = 1024;
  add("called", larger);
  CalledCase ipc = plain;
  ipc.scheme = Scheme::kIpc;
  add("called_ipc", ipc);
  CalledCase senders = plain;
  senders.senders = 4;
  add("called_senders4", senders);
  CalledCase owned = plain;
  owned.owned = true;
  add("owned", owned);
}

}  // namespace bench
}  // namespace cluster
