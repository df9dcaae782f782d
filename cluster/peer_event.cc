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
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, const PeerEvent& event) {
  out << "peer " << event.peer << " " << PeerEventTypeName(event.type);
  if (!event.reason.empty()) out << ": " << event.reason;
  if (event.unknown_fate > 0) {
    out << " (" << event.unknown_fate << " of unknown fate, " << event.resent
        << " sent again)";
  }
  return out;
}

}  // namespace cluster
