#include "cluster/server/application_watch.h"

namespace cluster::internal {

bool ApplicationWatch::Look(absl::Time now, const Inbox::Progress& items,
                            absl::Time handler_since) {
  const bool still = on() && StandsStill(now, items, handler_since);
  if (still && !still_) stalls_.fetch_add(1, std::memory_order_relaxed);
  still_ = still;
  return still;
}

bool ApplicationWatch::StandsStill(absl::Time now, const Inbox::Progress& items,
                                   absl::Time handler_since) {
  const std::uint64_t renewals = renewals_.load(std::memory_order_relaxed);
  if (renewals != renewals_seen_) {
    renewals_seen_ = renewals;
    renewed_at_ = now;
  }
  if (renewals > 0) return now - renewed_at_ >= timeout_;
  const bool waits = Waits(now, items);
  return waits || now - handler_since >= timeout_;
}

// The first mark is of the item that has waited longest, as far as looks can tell.
bool ApplicationWatch::Waits(absl::Time now, const Inbox::Progress& items) {
  while (!marks_.empty() && marks_.front().pushed <= items.taken)
    marks_.erase(marks_.begin());
  const bool waits = !marks_.empty() && now - marks_.front().at >= timeout_;
  const bool more =
      items.pushed > (marks_.empty() ? items.taken : marks_.back().pushed);
  if (more && (marks_.empty() || (marks_.size() < kMarksMax &&
                                  now - marks_.back().at >= interval())))
    marks_.push_back({items.pushed, now});
  return waits;
}

}  // namespace cluster::internal
