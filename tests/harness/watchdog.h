// Watchdog: ends the test program, with a text, when something that must return
// does not.
//
// What it is: a generous bound on what has no time-out of its own, so that a
// hang says where it is. What it is not: a measurement.
//
// Threads: one of its own, which aborts when the time is over before the object
// goes. Errors: that abort.
//
//   {
//     Watchdog watchdog("Stop", linger + absl::Seconds(10));
//     server.Stop();
//   }

#ifndef TESTS_HARNESS_WATCHDOG_H_
#define TESTS_HARNESS_WATCHDOG_H_

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "absl/time/time.h"

namespace cluster {

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
  std::mutex mutex_;
  std::condition_variable changed_;
  bool returned_ = false;
  std::thread thread_;
};

}  // namespace cluster

#endif  // TESTS_HARNESS_WATCHDOG_H_
