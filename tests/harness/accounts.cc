#include "tests/harness/accounts.h"

#include <numeric>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace cluster::internal {
namespace {

// A retransmission, a late connection, two hellos that cross, or a handshake on
// a busy machine can cause these.
bool IsHarmless(RefusalReason reason) {
  return reason == RefusalReason::kDuplicate || reason == RefusalReason::kGap ||
         reason == RefusalReason::kUnknownSession ||
         reason == RefusalReason::kSilent;
}

std::string Show(int id, const PeerStats& stats) {
  std::ostringstream out;
  out << "server " << id << ", " << stats;
  return out.str();
}

template <typename Refused>
void CheckRefusals(const std::string& whose, const Refused& refused,
                   std::vector<std::string>* problems) {
  for (int i = 0; i < kRefusalReasons; ++i) {
    const auto reason = static_cast<RefusalReason>(i);
    const std::uint64_t count = refused[static_cast<std::size_t>(i)];
    if (count == 0 || IsHarmless(reason)) continue;
    problems->push_back(absl::StrCat(
        whose, ": ", count, " frames refused: ", RefusalReasonName(reason)));
  }
}

}  // namespace

std::uint64_t DroppedSum(const PeerStats& stats) {
  return std::accumulate(stats.dropped.begin(), stats.dropped.end(),
                         std::uint64_t{0});
}

std::vector<std::string> BalanceProblems(int id, const ServerStats& stats) {
  std::vector<std::string> problems;
  std::vector<PeerStats> peers = stats.peers;
  peers.push_back(stats.own);
  peers.push_back(stats.removed_earlier);
  for (const PeerStats& peer : peers) {
    const std::uint64_t accounted =
        peer.acknowledged + peer.queued + peer.in_flight + DroppedSum(peer);
    if (peer.redials_by_watchdog > 0) {
      problems.push_back(
          absl::StrCat(Show(id, peer), ": the transport lost sight of it"));
    }
    if (peer.accepted == accounted) continue;
    problems.push_back(absl::StrCat(Show(id, peer), ": ", peer.accepted,
                                    " accepted, ", accounted,
                                    " accounted for"));
  }
  return problems;
}

std::vector<std::string> SettledProblems(const TestCluster& cluster,
                                         bool strangers) {
  std::vector<std::string> problems;
  for (int id : cluster.ids()) {
    const ServerStats stats = cluster.Stats(id);
    std::vector<std::string> unbalanced = BalanceProblems(id, stats);
    problems.insert(problems.end(), unbalanced.begin(), unbalanced.end());
    if (!strangers)
      CheckRefusals(absl::StrCat("server ", id), stats.refused, &problems);
    std::uint64_t received = stats.self_sent;
    for (const PeerStats& peer : stats.peers) {
      received += peer.received;
      const std::string shown = Show(id, peer);
      if (peer.acknowledged != peer.accepted)
        problems.push_back(absl::StrCat(shown, ": not all acknowledged"));
      const ServerStats others = cluster.Stats(peer.peer);
      const PeerStats* const mine = others.Peer(id);
      if (mine == nullptr || mine->accepted != peer.received) {
        problems.push_back(
            absl::StrCat(shown, ": received is not what that server accepted, ",
                         mine == nullptr ? 0 : mine->accepted));
      }
      CheckRefusals(shown, peer.refused, &problems);
    }
    if (stats.delivered != received) {
      problems.push_back(absl::StrCat("server ", id, ": delivered ",
                                      stats.delivered, ", received ", received,
                                      " with what it sent to itself"));
    }
    if (stats.inbox_bytes != 0) {
      problems.push_back(absl::StrCat("server ", id, ": ", stats.inbox_bytes,
                                      " bytes in an empty inbox"));
    }
  }
  return problems;
}

}  // namespace cluster::internal
