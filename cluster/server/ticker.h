// Ticker: a thread that lets time pass: soon again while somebody is busy, at
// leisure while nobody is.
//
// Threads: its own; Stop joins it. What it is not: a timer wheel; all sessions are
// asked each time.

#ifndef CLUSTER_SERVER_TICKER_H_
#define CLUSTER_SERVER_TICKER_H_

#include <chrono>
#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cluster/base/mutex.h"

namespace cluster::internal {

class Ticker {
 public:
  // `tick` answers whether it wants to be called again after `soon` rather than
  // after `leisure`.
  Ticker(absl::Duration soon, absl::Duration leisure,
         std::function<bool()> tick);
  ~Ticker() { Stop(); }

  // kResourceExhausted: the system gives no thread.
  absl::Status Start();
  // Not from `tick`.
  void Stop();

 private:
  void Loop();
  std::chrono::steady_clock::time_point Next(bool busy) const;

  const absl::Duration soon_;
  const absl::Duration leisure_;
  const std::function<bool()> tick_;
  Mutex mutex_;
  CondVar stop_;
  bool stopping_ CLUSTER_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_TICKER_H_
