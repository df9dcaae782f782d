// Refusals that count for no peer: the server's counters by reason, and the
// kRejected events.
//
// A stranger chooses how often it is refused, so events are rationed
// (EventRation), for each reason and claimed peer. Memory is bounded, whatever
// strangers claim to be: one entry for each reason and member, and kStrangersKept
// for servers that greet and are no members.
//
// Thread-safe. Its lock is held over `is_member`, and not over `push`.
//
//   rejections.Refuse(RefusalReason::kMalformed, PeerEvent::kNobody,
//                     [&] { return absl::StrCat(bytes, " bytes of nothing"); });

#ifndef CLUSTER_SERVER_REJECTIONS_H_
#define CLUSTER_SERVER_REJECTIONS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/base/optimization.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cluster/base/mutex.h"
#include "cluster/peer_event.h"
#include "cluster/session/event_ration.h"
#include "cluster/stats.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {

class Rejections {
 public:
  using Counts = std::array<std::uint64_t, kRefusalReasons>;
  // Of servers that are no members. Past them, one that was not heard for
  // kStrangerForgotten gives its place to a new one; others are only counted.
  static constexpr std::size_t kStrangersKept = 64;
  static constexpr absl::Duration kStrangerForgotten = absl::Minutes(1);

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
  // Counts and reports it. `text` is called, without the lock, if an event is due.
  // `peer`: the server that it claimed or proved to be, or kNobody.
  void Refuse(RefusalReason reason, int peer,
              absl::FunctionRef<std::string()> text);
  // A server greets that is no member, in the name of `id`. Counts and reports it.
  void Strange(int id, Stranger stranger, absl::Time now);
  // Drops all that is kept for a former member.
  void Forget(int id);
  // Reports one that is counted elsewhere.
  void Report(RefusalReason reason, int peer,
              absl::FunctionRef<std::string()> text, absl::Time now);

  Counts counts() const;

 private:
  void RefuseClaim(int sender, const absl::optional<int>& identity);

  // By claimed id and address.
  using Strangers = std::map<std::pair<int, std::string>, EventRation>;

  // Null: there is no place.
  EventRation* RationOf(int id, const std::string& address, absl::Time now)
      CLUSTER_REQUIRES(mutex_);

  const std::function<void(PeerEvent)> push_;
  const std::function<bool(int)> is_member_;
  const bool secured_;
  mutable Mutex mutex_{LockRank::kRejections};
  Counts counts_ CLUSTER_GUARDED_BY(mutex_){};
  std::map<std::pair<RefusalReason, int>, EventRation> rations_
      CLUSTER_GUARDED_BY(mutex_);
  Strangers strangers_ CLUSTER_GUARDED_BY(mutex_);
  std::uint64_t strangers_unkept_ CLUSTER_GUARDED_BY(mutex_) = 0;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_REJECTIONS_H_
