// Samples: durations and their percentiles.
//
// It keeps every sample, so the figures are exact. Not thread-safe. Percentiles
// of nothing are zero.
//
//   Samples samples;
//   samples.Add(now - before);
//   state.counters["p99_us"] = samples.PercentileUs(0.99);

#ifndef BENCH_SAMPLES_H_
#define BENCH_SAMPLES_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cluster {
namespace bench {

class Samples {
 public:
  void Add(std::chrono::steady_clock::duration duration) {
    samples_ns_.push_back(
        std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count());
  }
  void Clear() { samples_ns_.clear(); }
  std::size_t size() const { return samples_ns_.size(); }

  // The least sample such that `fraction` (0 to 1) of all do not exceed it, in
  // microseconds. Reorders the samples.
  double PercentileUs(double fraction) {
    if (samples_ns_.empty()) return 0;
    const auto rank = static_cast<std::size_t>(
        fraction * static_cast<double>(samples_ns_.size()));
    const auto place =
        samples_ns_.begin() +
        static_cast<std::ptrdiff_t>(std::min(rank, samples_ns_.size() - 1));
    std::nth_element(samples_ns_.begin(), place, samples_ns_.end());
    return static_cast<double>(*place) * 1e-3;
  }

  // The time-weighted median in microseconds: longer samples make up half of
  // the total time. A disturbance that comes and goes affects few samples, but
  // long ones, so the plain median hides it. This one is the median at a random
  // moment. Sorts the samples.
  double MedianByTimeUs() {
    std::sort(samples_ns_.begin(), samples_ns_.end());
    std::int64_t left = 0;
    for (const std::int64_t sample : samples_ns_) left += sample;
    left /= 2;
    for (const std::int64_t sample : samples_ns_) {
      left -= sample;
      if (left <= 0) return static_cast<double>(sample) * 1e-3;
    }
    return 0;
  }

 private:
  std::vector<std::int64_t> samples_ns_;
};

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_SAMPLES_H_
