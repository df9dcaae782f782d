// The time that links are told (MonotonicNow: it never goes back, its origin is
// arbitrary), and deadlines for waiting.
//
// Threads: a LazyDeadline belongs to one. Errors: none.

#ifndef CLUSTER_BASE_CLOCK_H_
#define CLUSTER_BASE_CLOCK_H_

#include <algorithm>
#include <chrono>

#include "absl/time/time.h"

namespace cluster {

inline absl::Time MonotonicNow() {
  return absl::UnixEpoch() +
         absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

// For waiting on a std::condition_variable: infinite durations become far ones.
inline std::chrono::steady_clock::time_point Deadline(absl::Duration timeout) {
  constexpr absl::Duration kFar = absl::Hours(24 * 365);
  return std::chrono::steady_clock::now() +
         absl::ToChronoNanoseconds(
             std::min(std::max(timeout, absl::ZeroDuration()), kFar));
}

// A deadline that is reckoned when it is first asked for: who finds that it
// need not wait has not read the clock.
class LazyDeadline {
 public:
  explicit LazyDeadline(absl::Duration timeout) : timeout_(timeout) {}

  std::chrono::steady_clock::time_point Get() {
    if (!reckoned_) deadline_ = Deadline(timeout_);
    reckoned_ = true;
    return deadline_;
  }

 private:
  const absl::Duration timeout_;
  bool reckoned_ = false;
  std::chrono::steady_clock::time_point deadline_;
};

}  // namespace cluster

#endif  // CLUSTER_BASE_CLOCK_H_
