#include "cluster/server/ticker.h"

#include <utility>

#include "cluster/base/clock.h"
#include "cluster/base/start_thread.h"

namespace cluster::internal {

Ticker::Ticker(std::function<bool()> tick, absl::Duration soon,
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
    stopping_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Ticker::Loop() {
  bool stopped = false;
  while (!stopped) {
    const bool busy = tick_();
    MutexLock lock(&mutex_);
    stopped = stopping_.WaitUntil(&mutex_, Next(busy), [this] {
      mutex_.AssertHeld();
      return stopped_;
    });
  }
}

std::chrono::steady_clock::time_point Ticker::Next(bool busy) const {
  if (busy) return Deadline(soon_);
  using Clock = std::chrono::steady_clock;
  const auto interval = std::chrono::duration_cast<Clock::duration>(
      absl::ToChronoNanoseconds(at_leisure_));
  const auto now = Clock::now().time_since_epoch();
  return Clock::time_point(now - now % interval + interval);
}

}  // namespace cluster::internal
