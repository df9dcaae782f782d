#include "bench/process_usage.h"

#include <dirent.h>
#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "cluster/base/check.h"

namespace cluster {
namespace bench {
namespace {

std::int64_t Nanoseconds(const timeval& time) {
  return time.tv_sec * std::int64_t{1000000000} +
         time.tv_usec * std::int64_t{1000};
}

// Ignores threads that end meanwhile.
void SetMaskOfAllThreads(const cpu_set_t& mask) {
  DIR* const tasks = opendir("/proc/self/task");
  CLUSTER_CHECK(tasks != nullptr, "/proc/self/task cannot be read");
  while (const dirent* task = readdir(tasks)) {
    int thread = 0;  // not for "." and ".."
    if (absl::SimpleAtoi(task->d_name, &thread))
      sched_setaffinity(thread, sizeof(mask), &mask);
  }
  closedir(tasks);
}

}  // namespace

std::int64_t ProcessCpuNs() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return Nanoseconds(usage.ru_utime) + Nanoseconds(usage.ru_stime);
}

double PercentOfACoreMeanwhile(absl::Duration time) {
  const absl::Time start = absl::Now();
  const std::int64_t cpu_ns_before = ProcessCpuNs();
  absl::SleepFor(time);
  const auto cpu_ns = static_cast<double>(ProcessCpuNs() - cpu_ns_before);
  return 100 * cpu_ns / absl::ToDoubleNanoseconds(absl::Now() - start);
}

std::int64_t ResidentBytes() {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  std::int64_t all_pages = 0;
  std::int64_t resident_pages = 0;
  statm >> all_pages >> resident_pages;
  return resident_pages * sysconf(_SC_PAGESIZE);
}

double LoadAverage() {
  double load = 0;
  return getloadavg(&load, 1) == 1 ? load : 0;
}

MachineUsage MachineUsageNow() {
  // The first line: "cpu", then user, nice, system, idle, iowait, irq, softirq,
  // steal.
  std::ifstream stat("/proc/stat");
  std::string name;
  stat >> name;
  MachineUsage usage;
  usage.own_ns = ProcessCpuNs();
  std::uint64_t ticks = 0;
  for (int column = 0; column < 8 && stat >> ticks; ++column) {
    const bool idle = column == 3 || column == 4;
    const bool steal = column == 7;
    usage.all += ticks;
    if (steal) usage.steal += ticks;
    if (!idle && !steal) usage.busy += ticks;
  }
  return usage;
}

Disturbance DisturbanceSince(const MachineUsage& before) {
  const MachineUsage now = MachineUsageNow();
  const auto all = static_cast<double>(now.all - before.all);
  if (all <= 0) return {};
  const double ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  const double own =
      static_cast<double>(now.own_ns - before.own_ns) * 1e-9 * ticks_per_second;
  Disturbance disturbance;
  disturbance.others =
      std::max(0.0, (static_cast<double>(now.busy - before.busy) - own) / all);
  disturbance.steal = static_cast<double>(now.steal - before.steal) / all;
  return disturbance;
}

PinnedToOneCore::PinnedToOneCore() {
  cpu_set_t allowed;
  static_assert(sizeof(allowed) == sizeof(allowed_), "cpu_set_t has changed");
  CLUSTER_CHECK(sched_getaffinity(0, sizeof(allowed), &allowed) == 0,
                "the affinity is unknown");
  std::memcpy(allowed_, &allowed, sizeof(allowed));
  int first = 0;
  while (!CPU_ISSET(first, &allowed)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  SetMaskOfAllThreads(one);
}

PinnedToOneCore::~PinnedToOneCore() {
  cpu_set_t allowed;
  std::memcpy(&allowed, allowed_, sizeof(allowed));
  SetMaskOfAllThreads(allowed);
}

}  // namespace bench
}  // namespace cluster
