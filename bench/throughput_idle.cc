// idle: servers of one process that are connected, each with each, and have
// nothing to say but heartbeats. What they cost: cpu_percent of one core, and
// bytes_per_link, the resident memory that they added, by directed links.
//
// Each end of a link is in this process, and so are both ends' share of it:
// its socket's objects, its state in the sender and in the receiver. Memory of
// the kernel (socket buffers) is not resident in a process and not counted. Nor
// is memory that earlier cases left in the process and these servers use again,
// up to a quarter: for the exact figure run this case alone.

#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "bench/cases.h"
#include "bench/loopback_cluster.h"
#include "bench/measure.h"
#include "bench/process_usage.h"

namespace cluster {
namespace bench {
namespace {

// A heartbeat leaves every half second: a shorter time would see an accident.
constexpr int kMeasuringTimes = 8;
// How long what follows a connection may take: acknowledgements, first round
// trips, retransmissions that were not needed.
constexpr int kQuietTimes = 2;

void MeasureIdle(benchmark::State& state, const std::string& transport) {
  const std::int64_t bytes_before = ResidentBytes();
  LoopbackCluster cluster(
      transport, Scheme::kTcp, kIdleServers,
      [](Server&) -> EnvelopeHandler { return [](const EnvelopeView&) {}; });
  absl::SleepFor(kQuietTimes * MeasuringTime());

  const absl::Time start = absl::Now();
  const std::int64_t cpu_ns_before = ProcessCpuNs();
  absl::SleepFor(kMeasuringTimes * MeasuringTime());
  const auto cpu_ns = static_cast<double>(ProcessCpuNs() - cpu_ns_before);
  state.counters["cpu_percent"] =
      100 * cpu_ns / absl::ToDoubleNanoseconds(absl::Now() - start);

  constexpr int kLinks = kIdleServers * (kIdleServers - 1);
  state.counters["bytes_per_link"] =
      static_cast<double>(ResidentBytes() - bytes_before) / kLinks;
}

}  // namespace

void AddIdleCases(const std::string& transport) {
  AddCase(
      CaseName("idle", transport, kIdleServers),
      [transport](benchmark::State& state) { MeasureIdle(state, transport); });
}

}  // namespace bench
}  // namespace cluster
