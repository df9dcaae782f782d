#include "cluster/server/ticker.h"

#include <utility>

#include "cluster/base/clock.h"
#include "cluster/base/start_thread.h"

namespace cluster::internal {

Ticker::Ticker(absl::Duration soon, absl::Duration leisure,
               std::function<bool()> tick)
    : soon_(soon), leisure_(leisure), tick_(std::move(tick)) {}

absl::Status Ticker::Start() {
  return StartThread(
      "cluster-tick", [this] { Loop(); }, &thread_);
}

void Ticker::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    stop_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

// At leisure at multiples of it, as the clock of this host counts: servers that
// share a host wake, and say that they live, at the same moments and mostly
// together, which costs each of them less.
std::chrono::steady_clock::time_point Ticker::Next(bool busy) const {
  if (busy) return Deadline(soon_);
  using Clock = std::chrono::steady_clock;
  const auto leisure = std::chrono::duration_cast<Clock::duration>(
      absl::ToChronoNanoseconds(leisure_));
  const auto now = Clock::now().time_since_epoch();
  return Clock::time_point(now - now % leisure + leisure);
}

void Ticker::Loop() {
  MutexLock lock(&mutex_);
  while (!stopping_) {
    lock.Unlock();
    const bool busy = tick_();
    lock.Lock();
    const auto next = Next(busy);
    while (!stopping_ && stop_.WaitUntil(&mutex_, next)) {
    }
  }
}

}  // namespace cluster::internal
