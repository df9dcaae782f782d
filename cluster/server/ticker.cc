#include "cluster/server/ticker.h"

#include <algorithm>
#include <utility>

#include "cluster/base/clock.h"
#include "cluster/base/start_thread.h"

namespace cluster::internal {
namespace {

// A server that does something now and then would wake its thread each time.
constexpr int kIdleTicksBeforeRest = 5;
// Work that wakes nobody waits for at most this.
constexpr absl::Duration kRestMax = absl::Seconds(2);

}  // namespace

Ticker::Ticker(std::function<absl::Time()> tick, absl::Duration soon,
               absl::Duration at_leisure)
    : tick_(std::move(tick)), soon_(soon), at_leisure_(at_leisure) {}

absl::Status Ticker::Start() {
  return StartThread(
      "cluster-tick", [this] { Loop(); }, &thread_);
}

void Ticker::Stop() {
  {
    MutexLock lock(&mutex_);
    stopped_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Ticker::SetIntervals(absl::Duration soon, absl::Duration at_leisure) {
  {
    MutexLock lock(&mutex_);
    soon_ = soon;
    at_leisure_ = at_leisure;
  }
  WakeNow();
}

void Ticker::WakeNow() {
  MutexLock lock(&mutex_);
  resting_.store(false, std::memory_order_relaxed);
  idle_ticks_ = 0;
  woken_ = true;
  changed_.NotifyAll();
}

void Ticker::Loop() {
  bool stopped = false;
  while (!stopped) {
    const absl::Time until = tick_();
    MutexLock lock(&mutex_);
    changed_.WaitUntil(&mutex_, Next(until), [this] {
      mutex_.AssertHeld();
      return stopped_ || woken_;
    });
    woken_ = false;
    stopped = stopped_;
  }
}

std::chrono::steady_clock::time_point Ticker::Next(absl::Time until) {
  const absl::Time now = MonotonicNow();
  idle_ticks_ = until > now ? idle_ticks_ + 1 : 0;
  const bool rests = idle_ticks_ > kIdleTicksBeforeRest;
  resting_.store(idle_ticks_ >= kIdleTicksBeforeRest,
                 std::memory_order_relaxed);
  if (until <= now) return Deadline(soon_);
  absl::Time next = now - (now - absl::UnixEpoch()) % at_leisure_ + at_leisure_;
  if (rests) {
    const absl::Time late = std::min(until, now + kRestMax);
    const absl::Duration over = (late - absl::UnixEpoch()) % at_leisure_;
    next = std::max(
        next, over == absl::ZeroDuration() ? late : late - over + at_leisure_);
  }
  return Deadline(next - now);
}

}  // namespace cluster::internal
