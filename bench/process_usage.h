// Processor time and memory of the process, and how much other processes
// disturb the measurement.
//
// Thread-safe. A figure that /proc lacks is zero.
//
//   const MachineUsage before = MachineUsageNow();
//   Work();
//   const Disturbance disturbance = DisturbanceSince(before);

#ifndef BENCH_PROCESS_USAGE_H_
#define BENCH_PROCESS_USAGE_H_

#include <cstdint>

#include "absl/time/time.h"

namespace cluster {
namespace bench {

// User and system time of all threads of this process so far, in nanoseconds.
std::int64_t ProcessCpuNs();

// Sleeps for `time`. Returns what the process used meanwhile, in percent of one
// core.
double PercentOfACoreMeanwhile(absl::Duration time);

// Resident memory of this process, in bytes. It first returns freed memory to
// the system: reused memory would not add to the figure.
std::int64_t ResidentBytes();

// The mean number of runnable threads over the last minute.
double LoadAverage();

// Processor time of the whole machine since it was started, in clock ticks.
struct MachineUsage {
  std::uint64_t all = 0;    // idle time too
  std::uint64_t busy = 0;   // of any process
  std::uint64_t steal = 0;  // taken by other virtual machines
  std::int64_t own_ns = 0;  // this process's share of `busy`
};
MachineUsage MachineUsageNow();

// Shares of all processor time, 0 to 1.
struct Disturbance {
  double others = 0;  // other processes of this machine
  double steal = 0;
};
Disturbance DisturbanceSince(const MachineUsage& before);

// Confines every thread of this process, and those that they start, to the
// first processor that the process may use; undone when destroyed.
class PinnedToOneCore {
 public:
  PinnedToOneCore();
  ~PinnedToOneCore();
  PinnedToOneCore(const PinnedToOneCore&) = delete;
  PinnedToOneCore& operator=(const PinnedToOneCore&) = delete;

 private:
  std::uint64_t allowed_[16];  // the mask as it was
};

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_PROCESS_USAGE_H_
