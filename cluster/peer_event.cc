#include "cluster/peer_event.h"

namespace cluster {

const char* PeerEventTypeName(PeerEvent::Type type) {
  switch (type) {
    case PeerEvent::kUp:
      return "up";
    case PeerEvent::kDown:
      return "down";
    case PeerEvent::kRestarted:
      return "restarted";
    case PeerEvent::kRemoved:
      return "removed";
    case PeerEvent::kRejected:
      return "rejected";
    case PeerEvent::kStranger:
      return "stranger";
    case PeerEvent::kWarning:
      return "warning";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, const PeerEvent& event) {
  if (event.type == PeerEvent::kStranger) {
    out << "stranger " << event.peer;
  } else if (event.peer != PeerEvent::kNobody) {
    out << "peer " << event.peer << " " << PeerEventTypeName(event.type);
  } else {
    out << (event.type == PeerEvent::kWarning ? "" : "a stranger ")
        << PeerEventTypeName(event.type);
  }
  if (!event.reason.empty()) out << ": " << event.reason;
  if (event.unknown_fate > 0) {
    out << " (" << event.unknown_fate << " of unknown fate, " << event.resent
        << " sent again)";
  }
  if (event.withheld > 0)
    out << " (and " << event.withheld << " more since the last report)";
  return out;
}

}  // namespace cluster
