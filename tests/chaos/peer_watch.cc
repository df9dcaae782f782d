#include "tests/chaos/peer_watch.h"

#include <chrono>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

constexpr std::chrono::minutes kPatience{1};

}  // namespace

void PeerWatch::Add(int observer, const PeerEvent& event) {
  MutexLock lock(&mutex_);
  Seen& seen = seen_[{observer, event.peer}];
  seen.up = event.type == PeerEvent::kUp;
  if (event.type == PeerEvent::kDown) ++seen.downs;
  changed_.NotifyAll();
}

int PeerWatch::Downs(int observer, int peer) {
  MutexLock lock(&mutex_);
  return seen_[{observer, peer}].downs;
}

template <typename Condition>
bool PeerWatch::WaitUntil(int observer, int peer, const char* what,
                          Condition condition) {
  MutexLock lock(&mutex_);
  const Seen& seen = seen_[{observer, peer}];
  const bool done =
      changed_.WaitFor(&mutex_, kPatience, [&] { return condition(seen); });
  EXPECT_TRUE(done) << "server " << observer << " was not told within a minute"
                    << " that " << peer << " is " << what;
  return done;
}

bool PeerWatch::WaitForDowns(int observer, int peer, int downs) {
  return WaitUntil(observer, peer, "down",
                   [&](const Seen& seen) { return seen.downs >= downs; });
}

bool PeerWatch::WaitUntilUp(int observer, int peer) {
  return WaitUntil(observer, peer, "up",
                   [](const Seen& seen) { return seen.up; });
}

}  // namespace cluster::internal
