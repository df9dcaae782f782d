// MonotonicNow: a time that never goes back, of arbitrary origin, for sessions.
// Deadline and LazyDeadline: points in time to wait for.
//
// A LazyDeadline belongs to one thread.

#ifndef CLUSTER_BASE_CLOCK_H_
#define CLUSTER_BASE_CLOCK_H_

#include <algorithm>
#include <chrono>

#include "absl/time/time.h"

namespace cluster::internal {

inline absl::Time MonotonicNow() {
  return absl::UnixEpoch() +
         absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

// For CondVar::WaitUntil: infinite durations become far ones.
inline std::chrono::steady_clock::time_point Deadline(absl::Duration timeout) {
  constexpr absl::Duration kFar = absl::Hours(24 * 365);
  return std::chrono::steady_clock::now() +
         absl::ToChronoNanoseconds(
             std::min(std::max(timeout, absl::ZeroDuration()), kFar));
}

// A deadline that is computed when it is first needed, so that a caller that
// need not wait does not read the clock.
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

}  // namespace cluster::internal

#endif  // CLUSTER_BASE_CLOCK_H_
