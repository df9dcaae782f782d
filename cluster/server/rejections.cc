#include "cluster/server/rejections.h"

#include <cstddef>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "cluster/base/clock.h"

namespace cluster::internal {

void Rejections::RefuseClaim(int sender, const absl::optional<int>& identity) {
  if (identity) {
    Add({RefusalReason::kWrongIdentity, sender,
         absl::StrCat("server ", *identity,
                      " sent a frame in the name of server ", sender)});
  } else {
    Add({RefusalReason::kUnauthenticated, sender,
         absl::StrCat("a frame in the name of server ", sender,
                      " on a connection that proved nothing")});
  }
}

void Rejections::Add(const Rejection& rejection) {
  Count(rejection.kind);
  Report(rejection.kind, rejection.peer.value_or(PeerEvent::kNobody),
         rejection.reason, MonotonicNow());
}

void Rejections::Count(RefusalReason reason) {
  MutexLock lock(&mutex_);
  ++counts_[static_cast<std::size_t>(reason)];
}

void Rejections::Report(RefusalReason reason, int peer, absl::string_view text,
                        absl::Time now) {
  PeerEvent event;
  event.type = PeerEvent::kRejected;
  {
    MutexLock lock(&mutex_);
    event.peer = is_member_(peer) ? peer : PeerEvent::kNobody;
    Ration& ration = rations_[{reason, event.peer}];
    if (now - ration.last < kEventInterval) {
      ++ration.withheld;
      return;
    }
    event.withheld = ration.withheld;
    ration = {now, 0};
  }
  event.reason = absl::StrCat(RefusalReasonName(reason), ": ", text);
  push_(std::move(event));
}

void Rejections::Forget(int id) {
  MutexLock lock(&mutex_);
  for (auto ration = rations_.begin(); ration != rations_.end();)
    ration =
        ration->first.second == id ? rations_.erase(ration) : std::next(ration);
}

Rejections::Counts Rejections::counts() const {
  MutexLock lock(&mutex_);
  return counts_;
}

}  // namespace cluster::internal
