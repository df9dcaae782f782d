// Rejections: what was turned away and cannot be laid to a peer's account.
//
// What it is: the server's counters by reason, and the kRejected events. Who is
// turned away chooses how often, so events are rationed: of one reason and
// claimed peer, one in kEventInterval, which tells how many more there were
// since the last. What it is not: the judgement (FrameRouter, the transport).
//
// Threads: safe; no lock of its own is held while it pushes an event, but over
// `is_member`. Bounded:
// one entry per reason and member, whatever strangers claim to be. Errors:
// none.
//
//   rejections.Count(RefusalReason::kUnauthenticated);
//   rejections.Report(RefusalReason::kUnauthenticated, 2, "no key", now);

#ifndef CLUSTER_SERVER_REJECTIONS_H_
#define CLUSTER_SERVER_REJECTIONS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cluster/peer_event.h"
#include "cluster/stats.h"

namespace cluster {

class Rejections {
 public:
  using Counts = std::array<std::uint64_t, kRefusalReasons>;
  static constexpr absl::Duration kEventInterval = absl::Seconds(1);

  // `push` takes an event, without running a handler; `is_member` says which
  // ids may have events of their own.
  Rejections(std::function<void(PeerEvent)> push,
             std::function<bool(int)> is_member)
      : push_(std::move(push)), is_member_(std::move(is_member)) {}

  void Count(RefusalReason reason);
  // The member was removed: nothing is kept for it. It is no member any more.
  void Forget(int id);
  // `peer` is whom it claimed or proved to be; kNobody if it did neither.
  void Report(RefusalReason reason, int peer, absl::string_view text,
              absl::Time now);

  Counts counts() const;

 private:
  struct Ration {
    absl::Time last = absl::InfinitePast();
    std::uint64_t withheld = 0;
  };

  const std::function<void(PeerEvent)> push_;
  const std::function<bool(int)> is_member_;
  mutable std::mutex mutex_;
  Counts counts_{};
  std::map<std::pair<RefusalReason, int>, Ration> rations_;
};

}  // namespace cluster

#endif  // CLUSTER_SERVER_REJECTIONS_H_
