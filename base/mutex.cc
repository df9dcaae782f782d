#include "cluster/base/mutex.h"

#ifdef CLUSTER_CHECK_LOCKS

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cluster/base/check.h"

namespace cluster::internal {
namespace mutex_internal {
namespace {

// The mutexes of the calling thread, in the order of locking. Trivial, so that a
// thread may lock until its very end.
struct Held {
  static constexpr int kMax = 16;
  const Ranked* mutexes[kMax];
  int count;
};
thread_local Held held;

}  // namespace

const char* Ranked::name() const {
  return kLockRankNames[static_cast<int>(rank_)];
}

void Ranked::Die(const char* does) const {
  std::fprintf(stderr, "cluster: lock order: a thread %s %s", does, name());
  for (int i = 0; i < held.count; ++i) {
    std::fprintf(stderr, "%s %s", i == 0 ? " while it holds" : ",",
                 held.mutexes[i]->name());
  }
  std::fprintf(stderr, "; the order is in base/lock_rank.h\n");
  std::abort();
}

void Ranked::BeforeLock() const {
  for (int i = 0; i < held.count; ++i) {
    if (held.mutexes[i]->rank_ >= rank_) Die("locks");
  }
}

void Ranked::BeforeWait() const {
  CheckHeld();
  if (held.mutexes[held.count - 1] != this) Die("waits with");
}

void Ranked::Locked() const {
  CLUSTER_CHECK(held.count < Held::kMax, "a thread holds too many mutexes");
  held.mutexes[held.count++] = this;
}

void Ranked::Unlocking() const {
  CheckHeld();
  const Ranked** const end = held.mutexes + held.count;
  static_cast<void>(std::remove(held.mutexes, end, this));
  --held.count;
}

void Ranked::CheckHeld() const {
  const Ranked** const end = held.mutexes + held.count;
  if (std::find(held.mutexes, end, this) == end) Die("does not hold");
}

}  // namespace mutex_internal
}  // namespace cluster::internal

#endif  // CLUSTER_CHECK_LOCKS
