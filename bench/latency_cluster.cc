// rtt: a round trip of an envelope from handler to handler. rtt_receive: from
// Receive to Receive, so each side has to wake one more thread. Their _pinned
// forms: with the whole process on one core. rtt_secure: with security. rtt_spin:
// with receiving threads that poll, which tcp alone has.

#include <string>
#include <thread>

#include "absl/types/optional.h"
#include "bench/cases.h"
#include "bench/measure.h"
#include "bench/ping_pong.h"
#include "bench/process_usage.h"
#include "bench/record.h"
#include "cluster/base/check.h"

namespace cluster {
namespace bench {
namespace {

void MeasureHandlers(benchmark::State& state, const std::string& transport,
                     int bytes, bool pinned,
                     Secrecy secrecy = Secrecy::kPlaintext,
                     Threads threads = Threads::kEachItsOwn) {
  absl::optional<PinnedToOneCore> one_core;
  if (pinned) one_core.emplace();
  PingPong ping_pong(transport, static_cast<std::size_t>(bytes), Lane::kNormal,
                     secrecy, threads);
  MeasureRoundTrips(state, [&](int times, Samples* samples) {
    ping_pong.Run(times, samples);
  });
}

// Sends each envelope back, until the server stops.
void EchoAll(Server& server, int to) {
  for (auto next = server.Receive(); next.ok(); next = server.Receive()) {
    next->pid = to;
    SendOrDie(server, *next);
  }
}

void MeasureReceive(benchmark::State& state, const std::string& transport,
                    int bytes, bool pinned) {
  absl::optional<PinnedToOneCore> one_core;
  if (pinned) one_core.emplace();
  LoopbackCluster cluster(transport, Scheme::kTcp, 2,
                          [](Server&) { return nullptr; });
  std::thread echo([&] { EchoAll(cluster.server(2), 1); });
  Envelope ping;
  ping.pid = 2;
  ping.payload.assign(static_cast<std::size_t>(bytes), 'x');
  MeasureRoundTrips(state, [&](int times, Samples* samples) {
    for (int i = 0; i < times; ++i) {
      const auto start = std::chrono::steady_clock::now();
      SendOrDie(cluster.server(1), ping);
      const absl::StatusOr<Envelope> pong = cluster.server(1).Receive();
      CLUSTER_CHECK(pong.ok(), "no answer");
      benchmark::DoNotOptimize(ReadFields(*pong));
      samples->Add(std::chrono::steady_clock::now() - start);
    }
  });
  cluster.Stop();
  echo.join();
}

}  // namespace

void AddClusterLatencyCases(const std::string& transport) {
  for (int bytes : kPayloadBytes) {
    AddCase(CaseName("rtt", transport, bytes),
            [transport, bytes](benchmark::State& state) {
              MeasureHandlers(state, transport, bytes, false);
            });
  }
  AddCase(CaseName("rtt_pinned", transport, 64),
          [transport](benchmark::State& state) {
            MeasureHandlers(state, transport, 64, true);
          });
  AddCase(CaseName("rtt_secure", transport, 64),
          [transport](benchmark::State& state) {
            MeasureHandlers(state, transport, 64, false, Secrecy::kMutual);
          });
  if (HasSpin(transport)) {
    AddCase(CaseName("rtt_spin", transport, 64),
            [transport](benchmark::State& state) {
              MeasureHandlers(state, transport, 64, false, Secrecy::kPlaintext,
                              Threads::kSpinning);
            });
  }
  AddCase(CaseName("rtt_receive", transport, 64),
          [transport](benchmark::State& state) {
            MeasureReceive(state, transport, 64, false);
          });
  AddCase(CaseName("rtt_receive_pinned", transport, 64),
          [transport](benchmark::State& state) {
            MeasureReceive(state, transport, 64, true);
          });
}

}  // namespace bench
}  // namespace cluster
