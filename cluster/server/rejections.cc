#include "cluster/server/rejections.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "cluster/base/clock.h"
#include "cluster/session/printable.h"

namespace cluster::internal {

void Rejections::RefuseClaim(int sender, const absl::optional<int>& identity) {
  if (identity) {
    Refuse(RefusalReason::kWrongIdentity, sender, [&] {
      return absl::StrCat("server ", *identity,
                          " sent a frame in the name of server ", sender);
    });
  } else {
    Refuse(RefusalReason::kUnauthenticated, sender, [&] {
      return absl::StrCat("a frame in the name of server ", sender,
                          " on a connection that proved nothing");
    });
  }
}

void Rejections::Add(const Rejection& rejection) {
  Refuse(rejection.kind, rejection.peer.value_or(PeerEvent::kNobody),
         [&] { return rejection.reason; });
}

void Rejections::Refuse(RefusalReason reason, int peer,
                        absl::FunctionRef<std::string()> text) {
  Count(reason);
  Report(reason, peer, text, MonotonicNow());
}

void Rejections::Count(RefusalReason reason) {
  MutexLock lock(&mutex_);
  ++counts_[static_cast<std::size_t>(reason)];
}

void Rejections::Report(RefusalReason reason, int peer,
                        absl::FunctionRef<std::string()> text, absl::Time now) {
  PeerEvent event;
  event.type = PeerEvent::kRejected;
  {
    MutexLock lock(&mutex_);
    event.peer = is_member_(peer) ? peer : PeerEvent::kNobody;
    const auto withheld = rations_[{reason, event.peer}].Take(now);
    if (!withheld) return;
    event.withheld = *withheld;
  }
  event.reason = absl::StrCat(RefusalReasonName(reason), ": ", text());
  push_(std::move(event));
}

EventRation* Rejections::RationOf(int id, const std::string& address,
                                  absl::Time now) {
  const Strangers::key_type key(id, address);
  if (const auto known = strangers_.find(key); known != strangers_.end())
    return &known->second;
  if (strangers_.size() >= kStrangersKept) {
    const auto oldest = std::min_element(
        strangers_.begin(), strangers_.end(),
        [](const Strangers::value_type& one, const Strangers::value_type& two) {
          return one.second.happened() < two.second.happened();
        });
    if (now - oldest->second.happened() < kStrangerForgotten) return nullptr;
    strangers_.erase(oldest);
  }
  return &strangers_[key];
}

void Rejections::Strange(int id, Stranger stranger, absl::Time now) {
  PeerEvent event;
  event.type = PeerEvent::kStranger;
  event.peer = id;
  {
    MutexLock lock(&mutex_);
    ++counts_[static_cast<std::size_t>(RefusalReason::kUnknownSender)];
    EventRation* const ration = RationOf(id, stranger.address, now);
    if (ration == nullptr) {
      ++strangers_unkept_;
      return;
    }
    const auto withheld = ration->Take(now);
    if (!withheld) return;
    event.withheld = *withheld + std::exchange(strangers_unkept_, 0);
  }
  event.reason = absl::StrCat(
      "server ", id, " greets",
      stranger.source.empty() ? "" : absl::StrCat(" from ", stranger.source),
      " as ", Quoted(stranger.address), ", but is no member here",
      stranger.identity ? ", though its key is good" : "",
      ": add it to \"servers\" here, or take this server out of its config");
  event.stranger = std::move(stranger);
  event.stranger.id = id;
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
