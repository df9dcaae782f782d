// Refusals that count for no peer: the server's counters by reason, and the
// kRejected events.
//
// A stranger chooses how often it is refused, so events are rationed. There is one
// in kEventInterval for each reason and claimed peer, which has the number of
// withheld ones. Memory is bounded: one entry for each reason and member, whatever
// strangers claim to be.
//
// Thread-safe. Its lock is held over `is_member`, and not over `push`.
//
//   rejections.Count(RefusalReason::kUnauthenticated);
//   rejections.Report(RefusalReason::kUnauthenticated, 2, "no key", now);

#ifndef CLUSTER_SERVER_REJECTIONS_H_
#define CLUSTER_SERVER_REJECTIONS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "absl/base/optimization.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cluster/base/mutex.h"
#include "cluster/peer_event.h"
#include "cluster/stats.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {

class Rejections {
 public:
  using Counts = std::array<std::uint64_t, kRefusalReasons>;
  static constexpr absl::Duration kEventInterval = absl::Seconds(1);

  // `push` takes an event, without running a handler; `is_member` says which
  // ids may have events of their own. `secured`: a connection speaks only for
  // the server that it proved to be.
  Rejections(std::function<void(PeerEvent)> push,
             std::function<bool(int)> is_member, bool secured = false)
      : push_(std::move(push)),
        is_member_(std::move(is_member)),
        secured_(secured) {}

  // Whether a connection of this identity may speak for `sender`. If not, that
  // is counted and reported.
  bool MaySpeakFor(int sender, const absl::optional<int>& identity) {
    if (ABSL_PREDICT_TRUE(!secured_ || identity == sender)) return true;
    RefuseClaim(sender, identity);
    return false;
  }
  // The transport refused somebody.
  void Add(const Rejection& rejection);

  void Count(RefusalReason reason);
  // Drops all that is kept for a former member.
  void Forget(int id);
  // `peer`: the server that it claimed or proved to be, or kNobody.
  void Report(RefusalReason reason, int peer, absl::string_view text,
              absl::Time now);

  Counts counts() const;

 private:
  void RefuseClaim(int sender, const absl::optional<int>& identity);

  struct Ration {
    absl::Time last = absl::InfinitePast();
    std::uint64_t withheld = 0;
  };

  const std::function<void(PeerEvent)> push_;
  const std::function<bool(int)> is_member_;
  const bool secured_;
  mutable Mutex mutex_{LockRank::kRejections};
  Counts counts_ CLUSTER_GUARDED_BY(mutex_){};
  std::map<std::pair<RefusalReason, int>, Ration> rations_
      CLUSTER_GUARDED_BY(mutex_);
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_REJECTIONS_H_
