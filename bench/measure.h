// The measuring loops that all cases share, and the counters that they report.
//
// One Google Benchmark iteration is one whole measurement. A warm-up finds how
// many items take a twentieth of a second. Then as many such rounds follow as
// fit into --benchmark_min_time. So a case sets its servers up once, and its
// name has no suffix. Call from the benchmark's main thread.
//
//   for (auto _ : state)
//     MeasureDeliveries(state, 64, 1, [&](std::int64_t items) { ... });

#ifndef BENCH_MEASURE_H_
#define BENCH_MEASURE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "bench/samples.h"
#include "benchmark/benchmark.h"

namespace cluster {
namespace bench {

// How long a measurement takes, without its warm-up.
absl::Duration MeasuringTime();
void SetMeasuringTime(absl::Duration time);

// Whether to print a line on stderr with the case when a measurement begins.
// With interleaved repetitions, results come only at the end.
void AnnounceMeasurements(bool yes);
void BeginMeasurement(const std::string& name);

// `deliver(items)` sends `items` envelopes and returns when all were delivered,
// each `deliveries_per_item` times. Each round has at least `items_least`.
// Counters: items_per_second and bytes_per_second (of payload) as delivered;
// cpu_ns_per_item, allocs_per_item and own_allocs_per_item (alloc_hook.h) of
// the whole process, both sides.
void MeasureDeliveries(benchmark::State& state, std::size_t payload_bytes,
                       int deliveries_per_item,
                       absl::FunctionRef<void(std::int64_t items)> deliver,
                       std::int64_t items_least = 1);

// `round_trips(times, samples)` makes so many round trips, one after the other,
// and adds the duration of each. Counters: p50_us, p50_by_time_us (samples.h),
// p99_us, max_us, and the same rates as above per round trip.
void MeasureRoundTrips(
    benchmark::State& state,
    absl::FunctionRef<void(int times, Samples* samples)> round_trips);

// Runs `work(share)` on each of `threads` threads. The shares add up to
// `items`.
void RunInShares(std::int64_t items, int threads,
                 absl::FunctionRef<void(std::int64_t share)> work);

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_MEASURE_H_
