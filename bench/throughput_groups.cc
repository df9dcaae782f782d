// groups: 1,000 consensus groups that three servers share. The leader of each
// sends a heartbeat of 64 B to the two others, ten times a second, as systems of
// many Raft groups do. Each server sends those of its groups in one go.
//
// raw_groups: the same heartbeats on the bare library, a message each.
//
// frames_per_second counts what crosses the network: frames, with all that the
// sessions say to each other, or messages.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "bench/cases.h"
#include "bench/delivery_count.h"
#include "bench/loopback_cluster.h"
#include "bench/measure.h"
#include "bench/process_usage.h"
#include "bench/raw_mesh.h"
#include "bench/record.h"

namespace cluster {
namespace bench {
namespace {

constexpr int kServers = 3;
constexpr int kHeartbeatBytes = 64;
constexpr std::chrono::milliseconds kInterval(100);
constexpr int kMeasuringTimes = 6;

// Sends a group's heartbeat; servers count from 0.
using SendHeartbeat = std::function<void(int from, int to, int group)>;

// Sends those of all groups that `from` leads, until `over`.
void Lead(int from, const SendHeartbeat& send,
          const std::shared_future<void>& over) {
  auto next = std::chrono::steady_clock::now();
  while (true) {
    next += kInterval;
    if (over.wait_until(next) == std::future_status::ready) return;
    for (int group = from; group < kGroups; group += kServers) {
      for (int to = 0; to < kServers; ++to) {
        if (to != from) send(from, to, group);
      }
    }
  }
}

// `frames()` is how many have left so far.
void Measure(benchmark::State& state, const SendHeartbeat& send,
             const std::function<std::int64_t()>& frames) {
  std::promise<void> end;
  const std::shared_future<void> over(end.get_future());
  std::vector<std::thread> leaders;
  for (int from = 0; from < kServers; ++from)
    leaders.emplace_back(Lead, from, send, over);
  absl::SleepFor(MeasuringTime());
  const std::int64_t frames_before = frames();
  const absl::Time start = absl::Now();
  const double percent =
      PercentOfACoreMeanwhile(kMeasuringTimes * MeasuringTime());
  const auto sent = static_cast<double>(frames() - frames_before);
  state.counters["cpu_percent"] = percent;
  state.counters["frames_per_second"] =
      sent / absl::ToDoubleSeconds(absl::Now() - start);
  end.set_value();
  for (std::thread& leader : leaders) leader.join();
}

void MeasureGroups(benchmark::State& state, const std::string& transport) {
  LoopbackCluster cluster(transport, Scheme::kTcp, kServers,
                          [](Server&) -> EnvelopeHandler {
                            return [](const EnvelopeView& envelope) {
                              benchmark::DoNotOptimize(ReadFields(envelope));
                            };
                          });
  Measure(
      state,
      [&](int from, int to, int group) {
        Envelope envelope;
        envelope.pid = to + 1;
        envelope.group = static_cast<std::uint64_t>(group) + 1;
        envelope.payload.assign(kHeartbeatBytes, 'x');
        SendOrDie(cluster.server(from + 1), envelope);
      },
      [&] {
        std::uint64_t frames = 0;
        for (int id = 1; id <= kServers; ++id) {
          for (const PeerStats& peer : cluster.server(id).Stats().peers)
            frames += peer.frames_sent;
        }
        return static_cast<std::int64_t>(frames);
      });
}

void MeasureRawGroups(benchmark::State& state, const std::string& transport) {
  constexpr std::size_t kMessageBytes = kRecordHeaderBytes + kHeartbeatBytes;
  const auto received = NewDeliveryCounts(kServers);
  std::array<std::atomic<std::int64_t>, kServers> sent{};
  const auto mesh =
      NewRawMesh(transport, kServers, kMessageBytes,
                 [&](int server, absl::string_view message) {
                   char first = message.front();
                   benchmark::DoNotOptimize(first);
                   received[static_cast<std::size_t>(server)]->Add(1);
                 });
  Measure(
      state,
      [&](int from, int to, int /*group*/) {
        sent[static_cast<std::size_t>(to)].fetch_add(1);
        std::memset(mesh->Begin(from, to, kMessageBytes), 'x', kMessageBytes);
        mesh->Commit(from, to);
      },
      [&] {
        std::int64_t messages = 0;
        for (const auto& count : received) messages += count->Count();
        return messages;
      });
  // nng may hang if a socket is closed while messages still arrive.
  for (std::size_t to = 0; to < kServers; ++to) {
    received[to]->Expect(sent[to]);
    received[to]->Wait();
  }
}

}  // namespace

void AddGroupsCases(const std::string& transport) {
  AddCase(CaseName("groups", transport, kGroups),
          [transport](benchmark::State& state) {
            MeasureGroups(state, transport);
          });
  AddCase(CaseName("raw_groups", transport, kGroups),
          [transport](benchmark::State& state) {
            MeasureRawGroups(state, transport);
          });
}

}  // namespace bench
}  // namespace cluster
