// MonotonicNow: the time that links are told. It never goes back; its origin is
// arbitrary.

#ifndef CLUSTER_SERVER_CLOCK_H_
#define CLUSTER_SERVER_CLOCK_H_

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

}  // namespace cluster

#endif  // CLUSTER_SERVER_CLOCK_H_
