// PendingEvents: peer events that no handler has been told yet.
//
// What it is: a FIFO whose size no peer decides. While a handler does not
// return, a peer may go up and down, and begin sessions, as often as it likes:
// past kMax events, a later one is told with an earlier one of the same peer
// that still waits, so that the last state, each restart and the sums of what
// was lost are told, and at most two events more of each peer wait. What it is
// not: a bound on kRejected (Rejections tells one a second) or on kRemoved
// (only RemovePeer makes them).
//
// Threads: not safe. Errors: Push throws std::bad_alloc where memory ends, and
// has added nothing.
//
//   if (pending.Push(std::move(event))) ...  // else an earlier one tells it
//   PeerEvent event = pending.Pop();

#ifndef CLUSTER_SERVER_PENDING_EVENTS_H_
#define CLUSTER_SERVER_PENDING_EVENTS_H_

#include <cstddef>
#include <deque>

#include "cluster/peer_event.h"

namespace cluster {

class PendingEvents {
 public:
  static constexpr std::size_t kMax = 1024;

  // False if an event that waits tells this one too.
  bool Push(PeerEvent event);
  // Takes back what Push has just added.
  void DropLast() { events_.pop_back(); }
  // The first. There is one.
  PeerEvent Pop();
  bool empty() const { return events_.empty(); }
  std::size_t size() const { return events_.size(); }

 private:
  bool Merge(PeerEvent* event);

  std::deque<PeerEvent> events_;
};

}  // namespace cluster

#endif  // CLUSTER_SERVER_PENDING_EVENTS_H_
