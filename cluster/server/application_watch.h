// ApplicationWatch: whether a server's application stands still
// (application_timeout_ms).
//
// An application that has ever renewed is judged by that alone. Any other stands
// still while a handler runs, or an item waits in the inbox, for the timeout. Items
// have no times: each look notes how many had come by then. So nothing reads a
// clock for an envelope, and an idle application never stands still.
//
// Renew comes from any thread, all else from one. A standstill is seen at most two
// intervals late, and never early.
//
//   ApplicationWatch watch(config.application_timeout);
//   watch.Renew();
//   if (watch.Look(now, inbox.progress(), callbacks.running_since())) ...

#ifndef CLUSTER_SERVER_APPLICATION_WATCH_H_
#define CLUSTER_SERVER_APPLICATION_WATCH_H_

#include <atomic>
#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "cluster/server/inbox.h"

namespace cluster::internal {

class ApplicationWatch {
 public:
  // 0: it never stands still.
  explicit ApplicationWatch(absl::Duration timeout) : timeout_(timeout) {}

  bool on() const { return timeout_ > absl::ZeroDuration(); }
  // Look at least as often.
  absl::Duration interval() const { return timeout_ / 8; }
  void Renew() { renewals_.fetch_add(1, std::memory_order_relaxed); }

  // `handler_since`: when the handler that runs began; InfiniteFuture: none runs.
  bool Look(absl::Time now, const Inbox::Progress& items,
            absl::Time handler_since);

  // How often it began to stand still. From any thread.
  std::uint64_t stalls() const {
    return stalls_.load(std::memory_order_relaxed);
  }

 private:
  // So many items had come by then, and the last of them still waits.
  struct Mark {
    std::uint64_t pushed;
    absl::Time at;
  };
  // Enough for items that wait for four timeouts. Those that come later get their
  // marks when some of these are gone.
  static constexpr int kMarksMax = 32;

  bool Waits(absl::Time now, const Inbox::Progress& items);
  bool StandsStill(absl::Time now, const Inbox::Progress& items,
                   absl::Time handler_since);

  const absl::Duration timeout_;
  std::atomic<std::uint64_t> renewals_{0};
  std::uint64_t renewals_seen_ = 0;
  absl::Time renewed_at_ = absl::InfinitePast();
  absl::InlinedVector<Mark, kMarksMax> marks_;  // so it allocates nothing
  bool still_ = false;
  std::atomic<std::uint64_t> stalls_{0};
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_APPLICATION_WATCH_H_
