// PeerWatch: waits for peer events by observer and peer.
//
// It counts events, not their order, and keeps whether the last one says that
// the peer is up. Thread-safe. A wait of more than a minute fails the running
// test with the event that did not come.
//
//   PeerWatch watch;
//   spec.on_event = [&](int observer, const PeerEvent& event) {
//     watch.Add(observer, event);
//   };
//   const int downs = watch.Downs(1, 2);
//   ...
//   EXPECT_TRUE(watch.WaitForDowns(1, 2, downs + 1));
//   EXPECT_TRUE(watch.WaitUntilUp(1, 2));

#ifndef TESTS_CHAOS_PEER_WATCH_H_
#define TESTS_CHAOS_PEER_WATCH_H_

#include <map>
#include <utility>

#include "cluster/base/mutex.h"
#include "cluster/peer_event.h"

namespace cluster::internal {

class PeerWatch {
 public:
  void Add(int observer, const PeerEvent& event);

  int Downs(int observer, int peer);
  bool WaitForDowns(int observer, int peer, int downs);
  bool WaitUntilUp(int observer, int peer);

 private:
  struct Seen {
    bool up = false;
    int downs = 0;
  };
  template <typename Condition>
  bool WaitUntil(int observer, int peer, const char* what, Condition condition);

  Mutex mutex_;
  CondVar changed_;
  std::map<std::pair<int, int>, Seen> seen_;
};

}  // namespace cluster::internal

#endif  // TESTS_CHAOS_PEER_WATCH_H_
