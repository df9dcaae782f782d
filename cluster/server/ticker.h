// Ticker: the thread of a server that lets time pass.
//
// It calls a function again and again: soon after a call that says so, else at
// leisure. Leisurely calls fall on multiples of their interval by the clock of this
// host. So its servers wake, and send heartbeats, mostly together. That costs each
// of them less.
//
// Start and Stop may come from any thread, but not from the function.
//
//   Ticker ticker([this] { return Tick(); }, kSoon, kAtLeisure);
//   absl::Status status = ticker.Start();

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
  // `tick` returns whether the next one is wanted soon.
  Ticker(std::function<bool()> tick, absl::Duration soon,
         absl::Duration at_leisure);
  ~Ticker() { Stop(); }

  // Once. kResourceExhausted: the system gives no thread.
  absl::Status Start();
  // Waits for a call that runs; none begins any more. Idempotent.
  void Stop();

 private:
  void Loop();
  std::chrono::steady_clock::time_point Next(bool busy) const;

  const std::function<bool()> tick_;
  const absl::Duration soon_;
  const absl::Duration at_leisure_;
  Mutex mutex_;
  CondVar stopping_;
  bool stopped_ CLUSTER_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_TICKER_H_
