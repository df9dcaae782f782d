// Watchdog: ends the test program, with a text, when a call does not return.
//
// A generous bound for calls without a time-out of their own, so that a hang
// names its call. Its own thread aborts when the time is over, unless the
// object was destroyed before.
//
//   {
//     Watchdog watchdog("Stop", linger + absl::Seconds(10));
//     server.Stop();
//   }

#ifndef TESTS_HARNESS_WATCHDOG_H_
#define TESTS_HARNESS_WATCHDOG_H_

#include <string>
#include <thread>

#include "absl/time/time.h"
#include "cluster/base/mutex.h"

namespace cluster::internal {

class Watchdog {
 public:
  Watchdog(std::string what, absl::Duration limit);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void Run();

  const std::string what_;
  const absl::Duration limit_;
  Mutex mutex_;
  CondVar changed_;
  bool returned_ = false;
  std::thread thread_;
};

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_WATCHDOG_H_
