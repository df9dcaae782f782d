#include "cluster/server/event_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cluster::internal {
namespace {

void AddSums(const PeerEvent& earlier, PeerEvent* later) {
  later->unknown_fate += earlier.unknown_fate;
  later->resent += earlier.resent;
  if (later->type == PeerEvent::kRejected ||
      later->type == PeerEvent::kStranger ||
      later->type == PeerEvent::kWarning) {
    later->withheld += earlier.withheld + 1;
  }
}

}  // namespace

void EventQueue::Push(PeerEvent event, std::uint64_t place) {
  auto same = waiting_.end();
  if (waiting_.size() >= kMax) {
    same = std::find_if(waiting_.begin(), waiting_.end(),
                        [&](const Waiting& waiting) {
                          return waiting.event.peer == event.peer &&
                                 waiting.event.type == event.type;
                        });
  }
  if (same == waiting_.end()) {
    waiting_.push_back({std::move(event), place});
    if (waiting_.size() > kMost) waiting_.pop_front();
    return;
  }
  // Where it lies it makes room for the new one, so nothing allocates.
  AddSums(same->event, &event);
  *same = {std::move(event), place};
  std::rotate(same, std::next(same), waiting_.end());
}

PeerEvent EventQueue::Pop() {
  PeerEvent event = std::move(waiting_.front().event);
  waiting_.pop_front();
  return event;
}

}  // namespace cluster::internal
