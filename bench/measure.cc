#include "bench/measure.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <thread>
#include <vector>

#include "bench/alloc_hook.h"
#include "bench/process_usage.h"

namespace cluster {
namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

absl::Duration measuring_time = absl::Seconds(0.5);
bool announce = false;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Measures the cost since its construction.
class Meter {
 public:
  Meter()
      : start_(Clock::now()),
        cpu_ns_(ProcessCpuNs()),
        allocations_(AllocationsSoFar()) {}

  double Seconds() const { return SecondsSince(start_); }

  void Report(benchmark::State& state, double items) const {
    const double seconds = Seconds();
    state.counters["items_per_second"] = items / seconds;
    state.counters["cpu_ns_per_item"] =
        static_cast<double>(ProcessCpuNs() - cpu_ns_) / items;
    if (AllocationsCounted()) {
      const AllocationCount now = AllocationsSoFar();
      state.counters["allocs_per_item"] =
          static_cast<double>(now.all - allocations_.all) / items;
      state.counters["own_allocs_per_item"] =
          static_cast<double>(now.own - allocations_.own) / items;
    }
  }

 private:
  const Clock::time_point start_;
  const std::int64_t cpu_ns_;
  const AllocationCount allocations_;
};

// Finds how many items take about `seconds`, by doubling.
std::int64_t ItemsThatTake(double seconds, std::int64_t items_least,
                           absl::FunctionRef<void(std::int64_t)> deliver) {
  for (std::int64_t items = items_least;; items *= 2) {
    const Clock::time_point start = Clock::now();
    deliver(items);
    const double taken = SecondsSince(start);
    if (taken >= seconds / 2) {
      const double scaled = static_cast<double>(items) * seconds / taken;
      return std::max(items_least, static_cast<std::int64_t>(scaled));
    }
  }
}

}  // namespace

absl::Duration MeasuringTime() { return measuring_time; }
void SetMeasuringTime(absl::Duration time) { measuring_time = time; }

void AnnounceMeasurements(bool yes) { announce = yes; }
void BeginMeasurement(const std::string& name) {
  if (announce) std::cerr << "measuring " << name << std::endl;
}

void MeasureDeliveries(benchmark::State& state, std::size_t payload_bytes,
                       int deliveries_per_item,
                       absl::FunctionRef<void(std::int64_t items)> deliver,
                       std::int64_t items_least) {
  constexpr double kRoundSeconds = 0.05;
  const double seconds = absl::ToDoubleSeconds(MeasuringTime());
  const std::int64_t items_per_round =
      ItemsThatTake(std::min(kRoundSeconds, seconds), items_least, deliver);
  const Meter meter;
  std::int64_t items = 0;
  do {
    deliver(items_per_round);
    items += items_per_round;
  } while (meter.Seconds() < seconds);
  meter.Report(state, static_cast<double>(items) * deliveries_per_item);
  state.counters["bytes_per_second"] =
      state.counters["items_per_second"].value *
      static_cast<double>(payload_bytes);
}

void MeasureRoundTrips(
    benchmark::State& state,
    absl::FunctionRef<void(int times, Samples* samples)> round_trips) {
  int times = 20;
  const double seconds = absl::ToDoubleSeconds(MeasuringTime());
  Samples samples;
  for (const Meter warm_up; warm_up.Seconds() < seconds / 10;) {
    round_trips(times, &samples);
  }
  // Rounds take about a twentieth of the whole time. The first round trip of a
  // round may differ, since the thread that begins the round then sleeps.
  times = std::max(times, static_cast<int>(samples.size() / 2));
  samples.Clear();
  const Meter meter;
  do {
    round_trips(times, &samples);
  } while (meter.Seconds() < seconds);
  meter.Report(state, static_cast<double>(samples.size()));
  state.counters["p50_us"] = samples.PercentileUs(0.5);
  state.counters["p50_by_time_us"] = samples.MedianByTimeUs();
  state.counters["p99_us"] = samples.PercentileUs(0.99);
  state.counters["max_us"] = samples.PercentileUs(1);
}

void RunInShares(std::int64_t items, int threads,
                 absl::FunctionRef<void(std::int64_t share)> work) {
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    // The first threads take the remainder.
    const std::int64_t share = items / threads + (i < items % threads ? 1 : 0);
    workers.emplace_back([work, share] { work(share); });
  }
  for (std::thread& worker : workers) worker.join();
}

}  // namespace bench
}  // namespace cluster
