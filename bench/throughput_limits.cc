// Limits: the rates of the bare library with some of our duties, and no others.
// They show how much of a missed goal those duties cost.
//
// checked: as batched, with a CRC-32C made and verified. checked3: to three,
// each with messages of its own, as each session has. batched_mesh<n>: as
// mesh<n>, in messages like those of batched, however long they take to fill.
// quarter_mesh<n>: in messages a quarter as large.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "bench/cases.h"
#include "bench/checked_message.h"
#include "bench/delivery_count.h"
#include "bench/measure.h"
#include "bench/raw_fanout.h"
#include "bench/raw_mesh.h"
#include "bench/record.h"

ABSL_DECLARE_FLAG(std::size_t, batch_bytes);

namespace cluster {
namespace bench {
namespace {

// The number of records in a message of batched.
std::int64_t BatchedRecords(std::size_t payload_bytes) {
  return RecordsPerMessage(payload_bytes, absl::GetFlag(FLAGS_batch_bytes));
}

// Sends `records` records in one message to each of the connections.
void SendChecked(RawFanout* fanout, int connections, std::int64_t records,
                 EnvelopeView* view, std::vector<char>* room) {
  const std::size_t bytes =
      RecordBytes(view->payload.size()) * static_cast<std::size_t>(records);
  char* const first =
      connections == 1 ? fanout->Begin(bytes + kCheckBytes) : room->data();
  char* const end = WriteRecords(records, view, first);
  PutCheck(first, end);
  if (connections == 1) return fanout->CommitTo(0);
  for (int connection = 0; connection < connections; ++connection) {
    std::memcpy(fanout->Begin(bytes + kCheckBytes), first, bytes + kCheckBytes);
    fanout->CommitTo(connection);
  }
}

void MeasureChecked(benchmark::State& state, const std::string& transport,
                    std::size_t payload_bytes, int connections) {
  const auto counts = NewDeliveryCounts(connections);
  const std::int64_t most = BatchedRecords(payload_bytes);
  std::vector<char> room(RecordBytes(payload_bytes) *
                             static_cast<std::size_t>(most) +
                         kCheckBytes);
  const auto fanout =
      NewRawFanout(transport, Scheme::kTcp, connections, room.size(),
                   [&](int connection, absl::string_view message) {
                     counts[static_cast<std::size_t>(connection)]->Add(
                         ReadRecords(CheckedRecords(message)));
                   });
  const Envelope envelope = RecordEnvelope(payload_bytes);
  EnvelopeView view(envelope);
  MeasureDeliveries(state, payload_bytes, connections, [&](std::int64_t items) {
    for (auto& count : counts) count->Expect(items);
    for (std::int64_t left = items; left > 0; left -= most)
      SendChecked(fanout.get(), connections, std::min(left, most), &view,
                  &room);
    for (auto& count : counts) count->Wait();
  });
}

// One server's messages to all others, which fill at the same pace.
class Spokes {
 public:
  Spokes(RawMesh* mesh, int from, int servers, std::int64_t records_per_message)
      : mesh_(mesh),
        from_(from),
        records_per_message_(records_per_message),
        out_(static_cast<std::size_t>(servers)) {}

  // One record to each, of `left` that are still to come.
  void SendRound(const EnvelopeView& envelope, std::int64_t left) {
    const std::size_t record_bytes = RecordBytes(envelope.payload.size());
    const bool begins = room_ == 0;
    if (begins) room_ = std::min(left, records_per_message_);
    for (std::size_t i = 0; i < out_.size(); ++i) {
      const int to = static_cast<int>(i);
      if (to == from_) continue;
      if (begins) {
        out_[i] = mesh_->Begin(from_, to,
                               record_bytes * static_cast<std::size_t>(room_));
      }
      out_[i] = WriteRecord(envelope, out_[i]);
      if (room_ == 1) mesh_->Commit(from_, to);
    }
    --room_;
  }

 private:
  RawMesh* const mesh_;
  const int from_;
  const std::int64_t records_per_message_;
  std::vector<char*> out_;
  std::int64_t room_ = 0;
};

void MeasureRawMesh(benchmark::State& state, const std::string& transport,
                    int servers, std::size_t message_bytes) {
  constexpr std::size_t kBytes = 64;
  const auto counts = NewDeliveryCounts(servers);
  const auto mesh = NewRawMesh(
      transport, servers, message_bytes,
      [&](int to, absl::string_view message) {
        counts[static_cast<std::size_t>(to)]->Add(ReadRecords(message));
      });
  const Envelope envelope = RecordEnvelope(kBytes);
  const std::int64_t records = RecordsPerMessage(kBytes, message_bytes);
  const int threads = std::min(servers, kMeshSendersMax);
  const auto send = [&](int first, std::int64_t rounds) {
    const EnvelopeView view(envelope);
    std::vector<Spokes> spokes;
    for (int from = first; from < servers; from += threads)
      spokes.emplace_back(mesh.get(), from, servers, records);
    for (std::int64_t left = rounds; left > 0; --left) {
      for (Spokes& each : spokes) each.SendRound(view, left);
    }
  };
  MeasureDeliveries(
      state, kBytes, servers * (servers - 1),
      [&](std::int64_t rounds) {
        for (auto& count : counts) count->Expect(rounds * (servers - 1));
        std::vector<std::thread> senders;
        for (int i = 0; i < threads; ++i)
          senders.emplace_back([&, i] { send(i, rounds); });
        for (std::thread& sender : senders) sender.join();
        for (auto& count : counts) count->Wait();
      },
      kMeshRoundsLeast);
  state.counters["items_per_cpu_second"] =
      1e9 / state.counters["cpu_ns_per_item"].value;
}

}  // namespace

void AddLimitCases(const std::string& transport) {
  const auto add_checked = [&](const std::string& kind, int bytes,
                               int connections) {
    AddCase(CaseName(kind, transport, bytes),
            [transport, bytes, connections](benchmark::State& state) {
              MeasureChecked(state, transport, static_cast<std::size_t>(bytes),
                             connections);
            });
  };
  for (int bytes : kPayloadBytes) {
    add_checked("checked", bytes, 1);
    add_checked("checked3", bytes, 3);
  }
  const auto add_mesh = [&](const std::string& kind, int servers,
                            std::size_t share) {
    AddCase(CaseName(absl::StrCat(kind, servers), transport, 64),
            [transport, servers, share](benchmark::State& state) {
              MeasureRawMesh(state, transport, servers,
                             absl::GetFlag(FLAGS_batch_bytes) / share);
            });
  };
  for (int servers : {kMeshSizes.front(), kMeshSizes.back()})
    add_mesh("batched_mesh", servers, 1);
  add_mesh("quarter_mesh", kMeshSizes.back(), 4);
}

}  // namespace bench
}  // namespace cluster
