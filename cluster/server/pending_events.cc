#include "cluster/server/pending_events.h"

#include <array>
#include <utility>

namespace cluster {
namespace {

// Whether it says how a peer is.
bool IsState(const PeerEvent& event) {
  return event.type == PeerEvent::kUp || event.type == PeerEvent::kDown ||
         event.type == PeerEvent::kRestarted;
}

// `later` takes the place of `earlier`.
void Replace(PeerEvent* earlier, PeerEvent* later) {
  later->unknown_fate += earlier->unknown_fate;
  later->resent += earlier->resent;
  *earlier = std::move(*later);
}

}  // namespace

bool PendingEvents::Push(PeerEvent event) {
  if (events_.size() >= kMax && IsState(event) && Merge(&event)) return false;
  events_.push_back(std::move(event));
  return true;
}

// Restarts are summed up in one, and only the last state behind it counts.
bool PendingEvents::Merge(PeerEvent* event) {
  std::array<PeerEvent*, 2> latest{};  // of this peer, the last one first
  std::size_t found = 0;
  for (auto at = events_.rbegin(); at != events_.rend() && found < 2; ++at) {
    if (at->peer == event->peer && IsState(*at)) latest[found++] = &*at;
  }
  const bool restart = event->type == PeerEvent::kRestarted;
  for (PeerEvent* earlier : latest) {
    if (earlier == nullptr || !restart) break;
    if (earlier->type != PeerEvent::kRestarted) continue;
    Replace(earlier, event);
    return true;
  }
  if (latest[0] == nullptr) return false;
  if (latest[0]->type == PeerEvent::kRestarted) return false;
  Replace(latest[0], event);
  return true;
}

PeerEvent PendingEvents::Pop() {
  PeerEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

}  // namespace cluster
