// Events that nobody has taken yet, each with its place in the inbox.
//
// A FIFO whose size no peer decides. Past kMax events an event replaces the one of
// its type and peer that waits already, and takes in its sums. So the last state of
// each peer comes last. Past kMost the oldest is dropped: peers may come and go for
// ever while nobody takes events. Not thread-safe.
//
//   events.Push(std::move(event), place);
//   if (!events.empty() && events.first_place() <= next) Report(events.Pop());

#ifndef CLUSTER_SERVER_EVENT_QUEUE_H_
#define CLUSTER_SERVER_EVENT_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>

#include "cluster/peer_event.h"

namespace cluster::internal {

class EventQueue {
 public:
  static constexpr std::size_t kMax = 1024;
  static constexpr std::size_t kMost = 2 * kMax;

  // `place` never decreases. Throws std::bad_alloc where memory ends, and has
  // changed nothing.
  void Push(PeerEvent event, std::uint64_t place);
  bool empty() const { return waiting_.empty(); }
  std::size_t size() const { return waiting_.size(); }
  // Of the first. There is one.
  std::uint64_t first_place() const { return waiting_.front().place; }
  PeerEvent Pop();

 private:
  struct Waiting {
    PeerEvent event;
    std::uint64_t place;
  };

  std::deque<Waiting> waiting_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_EVENT_QUEUE_H_
