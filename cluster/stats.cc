#include "cluster/stats.h"

#include "absl/strings/str_cat.h"

namespace cluster {
const char* DropReasonName(DropReason reason) {
  switch (reason) {
#define CLUSTER_CASE(reason, name) \
  case DropReason::reason:         \
    return name;
    CLUSTER_DROP_REASONS(CLUSTER_CASE)
#undef CLUSTER_CASE
  }
  return "unknown";
}

void AddCounters(const PeerStats& more, PeerStats* total) {
  for (const PeerFigure& figure : kPeerFigures) {
    if (figure.kind == StatKind::kSum)
      total->*figure.value += more.*figure.value;
  }
  total->round_trips.Add(more.round_trips);
  total->queue_times.Add(more.queue_times);
  for (std::size_t i = 0; i < more.dropped.size(); ++i)
    total->dropped[i] += more.dropped[i];
  for (std::size_t i = 0; i < more.refused.size(); ++i)
    total->refused[i] += more.refused[i];
}

const PeerStats* ServerStats::Peer(int id) const {
  for (const PeerStats& peer : peers) {
    if (peer.peer == id) return &peer;
  }
  return nullptr;
}

std::ostream& operator<<(std::ostream& out, const PeerStats& stats) {
  const auto show = [&out](std::uint64_t count, const std::string& name) {
    if (count > 0) out << ", " << count << " " << name;
  };
  out << "peer " << stats.peer << ": " << (stats.up ? "up" : "down");
  for (const PeerFigure& figure : kPeerFigures)
    show(stats.*figure.value, figure.text);
  for (int i = 0; i < kDropReasons; ++i) {
    const auto reason = static_cast<DropReason>(i);
    show(stats.Dropped(reason),
         absl::StrCat("dropped (", DropReasonName(reason), ")"));
  }
  for (int i = 0; i < kRefusalReasons; ++i) {
    const auto reason = static_cast<RefusalReason>(i);
    show(stats.Refused(reason),
         absl::StrCat("frames refused (", RefusalReasonName(reason), ")"));
  }
  if (stats.rtt > absl::ZeroDuration()) {
    out << ", rtt "
        << absl::FormatDuration(absl::Trunc(stats.rtt, absl::Microseconds(1)));
  }
  if (stats.certificate_expires != absl::InfiniteFuture()) {
    out << ", certificate until "
        << absl::FormatTime("%Y-%m-%d", stats.certificate_expires,
                            absl::UTCTimeZone());
  }
  if (!stats.last_trouble.empty()) {
    out << ", last trouble";
    if (stats.last_trouble_at != absl::InfinitePast()) {
      out << " at "
          << absl::FormatTime("%Y-%m-%d %H:%M:%S", stats.last_trouble_at,
                              absl::LocalTimeZone());
    }
    out << ": " << stats.last_trouble;
  }
  return out;
}

}  // namespace cluster
