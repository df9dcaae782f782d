#include "cluster/stats.h"

namespace cluster {

const char* DropReasonName(DropReason reason) {
  static constexpr const char* kNames[kDropReasons] = {
      "overflow",  "peer restart", "removed",
      "too large", "stopped",      "unsupported"};
  const auto index = static_cast<std::size_t>(reason);
  return index < kDropReasons ? kNames[index] : "unknown";
}

const char* RefusalReasonName(RefusalReason reason) {
  static constexpr const char* kNames[kRefusalReasons] = {
      "malformed",
      "unknown sender",
      "wrong destination",
      "wrong identity",
      "wrong cluster",
      "unknown session",
      "duplicate",
      "gap",
      "impossible acknowledgement",
      "overrun",
      "bad record",
      "inbox full",
      "unauthenticated",
      "silent",
      "no version in common",
      "stalled"};
  const auto index = static_cast<std::size_t>(reason);
  return index < kRefusalReasons ? kNames[index] : "unknown";
}

const PeerStats* ServerStats::Peer(int id) const {
  for (const PeerStats& peer : peers) {
    if (peer.peer == id) return &peer;
  }
  return nullptr;
}

std::ostream& operator<<(std::ostream& out, const PeerStats& stats) {
  const auto show = [&out](std::uint64_t count, const char* name) {
    if (count > 0) out << ", " << count << " " << name;
  };
  out << "peer " << stats.peer << ": " << (stats.up ? "up" : "down");
  show(stats.accepted, "accepted");
  show(stats.acknowledged, "acknowledged");
  show(stats.queued, "queued");
  show(stats.in_flight, "in flight");
  show(stats.memory_refused, "refused (memory_bytes_max)");
  for (int i = 0; i < kDropReasons; ++i) {
    if (stats.dropped[static_cast<std::size_t>(i)] == 0) continue;
    out << ", " << stats.dropped[static_cast<std::size_t>(i)] << " dropped ("
        << DropReasonName(static_cast<DropReason>(i)) << ")";
  }
  show(stats.received, "received");
  for (int i = 0; i < kRefusalReasons; ++i) {
    if (stats.refused[static_cast<std::size_t>(i)] == 0) continue;
    out << ", " << stats.refused[static_cast<std::size_t>(i)]
        << " frames refused ("
        << RefusalReasonName(static_cast<RefusalReason>(i)) << ")";
  }
  show(stats.frames_retransmitted, "frames sent again");
  show(stats.redials_by_watchdog, "redials by the watchdog");
  if (stats.rtt > absl::ZeroDuration()) {
    out << ", rtt "
        << absl::FormatDuration(absl::Trunc(stats.rtt, absl::Microseconds(1)));
  }
  if (!stats.last_trouble.empty())
    out << ", last trouble: " << stats.last_trouble;
  return out;
}

}  // namespace cluster
