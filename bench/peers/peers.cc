// Measures other messaging libraries beside this one, in the same run.
//
//   bazel run -c opt //bench:peers                  # all, with the plots
//   bazel run -c opt //bench/peers -- --benchmark_filter='/64$'
//
// one, three: envelopes from one thread to one receiver or to three. A message
// of another library is a record (record.h), which has the same fields. Every
// receiver reads every byte. rtt: round trips, in this library from handler to
// handler, in the others with a blocking call. Both sides are in this process.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "bench/bench_main.h"
#include "bench/cases.h"
#include "bench/delivery_count.h"
#include "bench/loopback_cluster.h"
#include "bench/measure.h"
#include "bench/peers/caf_peer.h"
#include "bench/peers/grpc_peer.h"
#include "bench/peers/nanomsg_peer.h"
#include "bench/ping_pong.h"
#include "bench/raw_fanout.h"
#include "bench/record.h"
#include "bench/results.h"

namespace cluster {
namespace bench {
namespace {

constexpr std::array<int, 3> kSizes = {64, 1024, 65536};
constexpr std::size_t kBatchBytes = 64u << 10;
constexpr char kBaseline[] = "zmq";  // of the ratios

// A library other than this one.
struct Peer {
  std::string name;
  std::function<std::unique_ptr<RawFanout>(
      int connections, std::size_t message_bytes, RawReceiver receiver)>
      new_fanout;
  // Null if its round trips are another peer's.
  std::function<std::unique_ptr<RawEcho>(std::size_t message_bytes)> new_echo;
  // How much it packs into a message by hand; 0: one record.
  std::size_t batch_bytes = 0;
};

Peer Bare(const std::string& transport) {
  Peer peer;
  peer.name = transport;
  peer.new_fanout = [transport](int connections, std::size_t message_bytes,
                                RawReceiver receiver) {
    return NewRawFanout(transport, Scheme::kTcp, connections, message_bytes,
                        std::move(receiver));
  };
  peer.new_echo = [transport](std::size_t message_bytes) {
    return NewRawEcho(transport, message_bytes);
  };
  return peer;
}

// The best that batching can reach.
Peer Batched(const std::string& transport) {
  Peer peer = Bare(transport);
  peer.name = absl::StrCat(transport, "_batched");
  peer.new_echo = nullptr;
  peer.batch_bytes = kBatchBytes;
  return peer;
}

Peer Grpc(const std::string& name, GrpcWrites writes) {
  Peer peer;
  peer.name = name;
  peer.new_fanout = [writes](int connections, std::size_t /*message_bytes*/,
                             RawReceiver receiver) {
    return NewGrpcFanout(writes, connections, std::move(receiver));
  };
  if (writes == GrpcWrites::kEach) peer.new_echo = NewGrpcEcho;
  return peer;
}

const std::vector<Peer>& Peers() {
  static const auto& peers = *new std::vector<Peer>{
      Bare("zmq"),
      Bare("nng"),
      Bare("tcp"),
      Batched("tcp"),
      Grpc("grpc", GrpcWrites::kEach),
      Grpc("grpc_buffered", GrpcWrites::kBuffered),
      {"nanomsg", NewNanomsgFanout, NewNanomsgEcho},
      {"caf", NewCafFanout, NewCafEcho},
  };
  return peers;
}

std::string OwnName(const char* transport) {
  return absl::StrCat("cluster_", transport);
}

// Reads every byte, so that a library that hands out what it has not read, or
// reads it late, gains nothing.
void ReadAll(const EnvelopeView& envelope) {
  std::uint64_t sum = ReadFields(envelope);
  absl::string_view rest = envelope.payload;
  for (; rest.size() >= sizeof(sum); rest.remove_prefix(sizeof(sum))) {
    std::uint64_t word;
    std::memcpy(&word, rest.data(), sizeof(word));
    sum += word;
  }
  for (const char byte : rest) sum += static_cast<unsigned char>(byte);
  benchmark::DoNotOptimize(sum);
}

std::int64_t ReadAllRecords(absl::string_view message) {
  const char* in = message.data();
  std::int64_t records = 0;
  for (EnvelopeView envelope; in != message.data() + message.size();
       ++records) {
    in = ReadRecord(in, &envelope);
    ReadAll(envelope);
  }
  return records;
}

// `send(items)` returns once all are sent.
void MeasureSending(benchmark::State& state, std::size_t payload_bytes,
                    const std::vector<std::unique_ptr<DeliveryCount>>& counts,
                    const std::function<void(std::int64_t items)>& send) {
  MeasureDeliveries(state, payload_bytes, static_cast<int>(counts.size()),
                    [&](std::int64_t items) {
                      for (const auto& count : counts) count->Expect(items);
                      send(items);
                      for (const auto& count : counts) count->Wait();
                    });
}

void MeasurePeer(benchmark::State& state, const Peer& peer, int receivers,
                 std::size_t payload_bytes) {
  const std::int64_t records_per_message =
      RecordsPerMessage(payload_bytes, peer.batch_bytes);
  const std::size_t record_bytes = RecordBytes(payload_bytes);
  const auto message_bytes = [&](std::int64_t records) {
    return record_bytes * static_cast<std::size_t>(records);
  };
  const auto counts = NewDeliveryCounts(receivers);
  const auto fanout =
      peer.new_fanout(receivers, message_bytes(records_per_message),
                      [&](int connection, absl::string_view message) {
                        counts[static_cast<std::size_t>(connection)]->Add(
                            ReadAllRecords(message));
                      });
  const Envelope envelope = RecordEnvelope(payload_bytes);
  EnvelopeView view(envelope);
  MeasureSending(state, payload_bytes, counts, [&](std::int64_t items) {
    for (std::int64_t left = items; left > 0;) {
      const std::int64_t records = std::min(left, records_per_message);
      WriteRecords(records, &view, fanout->Begin(message_bytes(records)));
      fanout->Commit();
      left -= records;
    }
    fanout->Flush();
  });
}

void MeasureOwn(benchmark::State& state, const std::string& transport,
                int receivers, std::size_t payload_bytes) {
  const auto counts = NewDeliveryCounts(receivers);  // of servers 2 and so on
  const auto make_handler = [&](Server& self) -> EnvelopeHandler {
    if (self.Pid() == 1) return nullptr;
    return [count = counts[static_cast<std::size_t>(self.Pid() - 2)].get()](
               const EnvelopeView& envelope) {
      ReadAll(envelope);
      count->Add(1);
    };
  };
  LoopbackCluster cluster(transport, Scheme::kTcp, 1 + receivers, make_handler);
  Envelope envelope = RecordEnvelope(payload_bytes);
  if (receivers > 1) envelope.pid = kBroadcast;
  MeasureSending(state, payload_bytes, counts, [&](std::int64_t items) {
    for (std::int64_t i = 0; i < items; ++i)
      SendOrDie(cluster.server(1), envelope);
  });
  cluster.Stop();
}

void MeasurePeerRoundTrips(benchmark::State& state, const Peer& peer,
                           std::size_t payload_bytes) {
  const auto echo = peer.new_echo(RecordBytes(payload_bytes));
  MeasureRoundTrips(state, [&](int times, Samples* samples) {
    for (int i = 0; i < times; ++i) {
      const auto start = std::chrono::steady_clock::now();
      echo->RoundTrip();
      samples->Add(std::chrono::steady_clock::now() - start);
    }
  });
}

void MeasureOwnRoundTrips(benchmark::State& state, const std::string& transport,
                          std::size_t payload_bytes) {
  PingPong ping_pong(transport, payload_bytes, Lane::kNormal);
  MeasureRoundTrips(state, [&](int times, Samples* samples) {
    ping_pong.Run(times, samples);
  });
}

// Calls `add(kind, receivers, payload_bytes)` for each case of one way.
template <typename Add>
void ForEachOneWay(Add add) {
  for (int bytes : kSizes) add("one", 1, bytes);
  add("three", 3, 64);
}

void AddCases() {
  for (const char* transport : kTransports) {
    ForEachOneWay([&](const char* kind, int receivers, int bytes) {
      AddCase(CaseName(kind, OwnName(transport), bytes),
              [transport, receivers, bytes](benchmark::State& state) {
                MeasureOwn(state, transport, receivers,
                           static_cast<std::size_t>(bytes));
              });
    });
    AddCase(CaseName("rtt", OwnName(transport), 64),
            [transport](benchmark::State& state) {
              MeasureOwnRoundTrips(state, transport, 64);
            });
  }
  for (const Peer& peer : Peers()) {
    ForEachOneWay([&](const char* kind, int receivers, int bytes) {
      AddCase(CaseName(kind, peer.name, bytes), [&peer, receivers, bytes](
                                                    benchmark::State& state) {
        MeasurePeer(state, peer, receivers, static_cast<std::size_t>(bytes));
      });
    });
    if (peer.new_echo == nullptr) continue;
    AddCase(CaseName("rtt", peer.name, 64), [&peer](benchmark::State& state) {
      MeasurePeerRoundTrips(state, peer, 64);
    });
  }
}

std::vector<std::string> AllNames() {
  std::vector<std::string> names;
  for (const char* transport : kTransports) names.push_back(OwnName(transport));
  for (const Peer& peer : Peers()) names.push_back(peer.name);
  return names;
}

// One counter of the cases of one way, with its ratio to the baseline if asked.
TextTable OneWay(const Results& results, const std::string& title,
                 const char* counter, bool ratios) {
  std::vector<std::string> titles = {title};
  ForEachOneWay([&](const char* kind, int /*receivers*/, int bytes) {
    titles.push_back(absl::StrCat("to ", kind, ", ", bytes, " B"));
    if (ratios) titles.push_back(absl::StrCat("/ ", kBaseline));
  });
  TextTable table(titles);
  for (const std::string& name : AllNames()) {
    std::vector<std::string> row = {name};
    ForEachOneWay([&](const char* kind, int /*receivers*/, int bytes) {
      const double figure =
          results.Median(CaseName(kind, name, bytes), counter);
      row.push_back(Short(figure));
      if (ratios) {
        row.push_back(
            Ratio(figure /
                  results.Median(CaseName(kind, kBaseline, bytes), counter)));
      }
    });
    table.AddRow(std::move(row));
  }
  return table;
}

TextTable RoundTrips(const Results& results) {
  TextTable table({"round trip of 64 B, us", "p50",
                   absl::StrCat("p50 / ", kBaseline), "p99",
                   absl::StrCat("p99 / ", kBaseline), "cpu ns"});
  const std::string baseline = CaseName("rtt", kBaseline, 64);
  for (const std::string& name : AllNames()) {
    const auto figure = [&](const char* counter) {
      return results.Median(CaseName("rtt", name, 64), counter);
    };
    const auto ratio = [&](const char* counter) {
      return Ratio(figure(counter) / results.Median(baseline, counter));
    };
    table.AddRow({name, Short(figure("p50_us")), ratio("p50_us"),
                  Short(figure("p99_us")), ratio("p99_us"),
                  Short(figure("cpu_ns_per_item"))});
  }
  return table;
}

std::vector<TextTable> PeerTables(const Results& results) {
  return {OneWay(results, "envelopes/s", "items_per_second", true),
          OneWay(results, "CPU ns per envelope", "cpu_ns_per_item", false),
          RoundTrips(results)};
}

}  // namespace
}  // namespace bench
}  // namespace cluster

int main(int argc, char** argv) {
  return cluster::bench::RunCases(argc, argv, absl::Seconds(0.5),
                                  cluster::bench::AddCases,
                                  cluster::bench::PeerTables);
}
