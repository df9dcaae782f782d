// EventRation: how often to report an event that goes on and on.
//
// It lets the first one pass. The next one passes no sooner than a second later,
// then two, four, and so on up to five minutes. After a long pause all begins anew.
// A value; not thread-safe.
//
//   if (absl::optional<std::uint64_t> withheld = ration.Take(now))
//     Tell(event, *withheld);

#ifndef CLUSTER_SESSION_EVENT_RATION_H_
#define CLUSTER_SESSION_EVENT_RATION_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace cluster::internal {

class EventRation {
 public:
  static constexpr absl::Duration kLeast = absl::Seconds(1);
  static constexpr absl::Duration kMost = absl::Minutes(5);
  // A pause of twice the present interval, and at least of this, ends a series.
  static constexpr absl::Duration kPause = absl::Minutes(1);

  // The event happens. If it passes: how many did not since the last one.
  absl::optional<std::uint64_t> Take(absl::Time now) {
    if (now - happened_ > std::max(2 * interval_, kPause)) interval_ = kLeast;
    happened_ = now;
    if (now < next_) {
      ++withheld_;
      return absl::nullopt;
    }
    next_ = now + interval_;
    interval_ = std::min(2 * interval_, kMost);
    return std::exchange(withheld_, 0);
  }

  // When it happened last.
  absl::Time happened() const { return happened_; }

 private:
  absl::Time happened_ = absl::InfinitePast();
  absl::Time next_ = absl::InfinitePast();
  absl::Duration interval_ = kLeast;
  std::uint64_t withheld_ = 0;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_EVENT_RATION_H_
