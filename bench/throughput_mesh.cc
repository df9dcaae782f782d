// mesh<n>: n servers of one process, each of which sends to all others.

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/cases.h"
#include "bench/delivery_count.h"
#include "bench/loopback_cluster.h"
#include "bench/measure.h"
#include "bench/record.h"

namespace cluster {
namespace bench {
namespace {

constexpr int kBytes = 64;

// Each server from `first` in steps of `step` sends one envelope to each other,
// `rounds` times.
void SendRounds(LoopbackCluster* cluster, int first, int step,
                std::int64_t rounds) {
  Envelope envelope;
  envelope.payload.assign(kBytes, 'x');
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (int from = first; from <= cluster->size(); from += step) {
      for (int to = 1; to <= cluster->size(); ++to) {
        envelope.pid = to;
        if (to != from) SendOrDie(cluster->server(from), envelope);
      }
    }
  }
}

void MeasureMesh(benchmark::State& state, const std::string& transport,
                 int servers) {
  const auto counts = NewDeliveryCounts(servers);
  LoopbackCluster cluster(
      transport, Scheme::kTcp, servers,
      [&](Server& self) -> EnvelopeHandler {
        return [count = counts[static_cast<std::size_t>(self.Pid() - 1)].get()](
                   const EnvelopeView& envelope) {
          benchmark::DoNotOptimize(ReadFields(envelope));
          count->Add(1);
        };
      },
      {Secrecy::kPlaintext, Threads::kShared});
  const int threads = std::min(servers, kMeshSendersMax);
  const int deliveries_per_round = servers * (servers - 1);
  MeasureDeliveries(
      state, kBytes, deliveries_per_round,
      [&](std::int64_t rounds) {
        for (const auto& count : counts) count->Expect(rounds * (servers - 1));
        std::vector<std::thread> senders;
        for (int i = 1; i <= threads; ++i) {
          senders.emplace_back(SendRounds, &cluster, i, threads, rounds);
        }
        for (std::thread& sender : senders) sender.join();
        for (const auto& count : counts) count->Wait();
      },
      kMeshRoundsLeast);
  state.counters["items_per_frame"] = ItemsPerFrame(cluster);
  state.counters["items_per_cpu_second"] =
      1e9 / state.counters["cpu_ns_per_item"].value;
}

}  // namespace

void AddMeshCases(const std::string& transport) {
  for (int servers : kMeshSizes) {
    AddCase(CaseName(absl::StrCat("mesh", servers), transport, kBytes),
            [transport, servers](benchmark::State& state) {
              MeasureMesh(state, transport, servers);
            });
  }
}

}  // namespace bench
}  // namespace cluster
