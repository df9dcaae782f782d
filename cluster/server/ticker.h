// Ticker: the thread of a server that lets time pass.
//
// It calls a function again and again: soon after a call that says so, else at
// leisure. If nothing has been due for several leisurely calls, it rests until
// something is, or until Wake. Leisurely calls fall on multiples of their interval
// by the clock of this host. So its servers wake, and send heartbeats, mostly
// together. That costs each of them less.
//
// Thread-safe; Start and Stop must not come from the function.
//
//   Ticker ticker([this] { return Tick(); }, kSoon, kAtLeisure);
//   absl::Status status = ticker.Start();

#ifndef CLUSTER_SERVER_TICKER_H_
#define CLUSTER_SERVER_TICKER_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cluster/base/mutex.h"

namespace cluster::internal {

class Ticker {
 public:
  // `tick` returns until when the next one would find nothing to do, unless Wake
  // is called, by MonotonicNow. A time that has passed: it is wanted soon.
  Ticker(std::function<absl::Time()> tick, absl::Duration soon,
         absl::Duration at_leisure);
  ~Ticker() { Stop(); }

  // Once. kResourceExhausted: the system gives no thread.
  absl::Status Start();
  // Other intervals from now on.
  void SetIntervals(absl::Duration soon, absl::Duration at_leisure);
  // Waits for a call that runs; none begins any more. Idempotent.
  void Stop();
  // There may be something to do earlier than the last tick said. Costs one
  // relaxed load unless the thread rests.
  void Wake() {
    if (resting_.load(std::memory_order_relaxed)) WakeNow();
  }

 private:
  void Loop();
  void WakeNow() CLUSTER_EXCLUDES(mutex_);
  std::chrono::steady_clock::time_point Next(absl::Time until)
      CLUSTER_REQUIRES(mutex_);

  const std::function<absl::Time()> tick_;
  Mutex mutex_;
  CondVar changed_;
  absl::Duration soon_ CLUSTER_GUARDED_BY(mutex_);
  absl::Duration at_leisure_ CLUSTER_GUARDED_BY(mutex_);
  bool stopped_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool woken_ CLUSTER_GUARDED_BY(mutex_) = false;
  int idle_ticks_ CLUSTER_GUARDED_BY(mutex_) = 0;  // without one that was busy
  // Set one leisurely tick before the first rest. A change that did not see it,
  // and so did not wake the thread, is seen by that tick.
  std::atomic<bool> resting_{false};
  std::thread thread_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_TICKER_H_
