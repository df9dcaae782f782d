#include "cluster/admin/metrics.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Snapshot TwoPeers() {
  Snapshot snapshot;
  snapshot.id = 1;
  snapshot.config.cluster = "de\"mo\n";
  snapshot.peers = {2, 3};
  snapshot.stats.own.up = true;
  snapshot.stats.peers.resize(2);
  snapshot.stats.peers[0].peer = 2;
  snapshot.stats.peers[0].up = true;
  snapshot.stats.peers[0].accepted = 7;
  snapshot.stats.peers[0].queued = 3;
  snapshot.stats.peers[0].round_trips.Add(absl::Microseconds(300));
  snapshot.stats.peers[0].round_trips.Add(absl::Minutes(1));
  snapshot.stats.peers[1].peer = 3;
  return snapshot;
}

TEST(Metrics, EachFigureHasANameOfItsKind) {
  const std::string page = MetricsPage(TwoPeers());
  EXPECT_THAT(page, Not(HasSubstr("unnamed_figure")));
  int lines = 0;
  for (const absl::string_view line : absl::StrSplit(page, '\n')) {
    if (!absl::StartsWith(line, "# TYPE ")) continue;
    const std::pair<absl::string_view, absl::string_view> name_and_type =
        absl::StrSplit(line.substr(7), ' ');
    EXPECT_EQ(name_and_type.second == "counter",
              absl::EndsWith(name_and_type.first, "_total"))
        << line;
    EXPECT_TRUE(absl::StartsWith(name_and_type.first, "cluster_")) << line;
    ++lines;
  }
  EXPECT_GT(lines, 30);
}

TEST(Metrics, PeersAndReasonsAreLabels) {
  const std::string page = MetricsPage(TwoPeers());
  EXPECT_THAT(page, HasSubstr("\ncluster_peer_up{peer=\"2\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("\ncluster_peer_up{peer=\"3\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("\ncluster_peer_envelopes_accepted_total{"
                              "peer=\"2\"} 7\n"));
  EXPECT_THAT(page, HasSubstr("\ncluster_peer_envelopes_queued{peer=\"2\"} 3"));
  EXPECT_THAT(page, HasSubstr("\ncluster_peer_envelopes_dropped_total{"
                              "peer=\"3\",reason=\"peer_restart\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("\ncluster_ready 1\n"));
}

TEST(Metrics, AHistogramIsCumulativeAndInSeconds) {
  const std::string page = MetricsPage(TwoPeers());
  const std::string name = "\ncluster_peer_round_trip_seconds";
  EXPECT_THAT(page, HasSubstr(name + "_count{peer=\"2\"} 2\n"));
  EXPECT_THAT(page, HasSubstr(name + "_bucket{peer=\"2\",le=\"0.00025\"} 0\n"));
  EXPECT_THAT(page, HasSubstr(name + "_bucket{peer=\"2\",le=\"0.0005\"} 1\n"));
  EXPECT_THAT(page, HasSubstr(name + "_bucket{peer=\"2\",le=\"10\"} 1\n"));
  EXPECT_THAT(page, HasSubstr(name + "_bucket{peer=\"2\",le=\"+Inf\"} 2\n"));
}

TEST(Metrics, LabelsAreEscaped) {
  EXPECT_THAT(MetricsPage(TwoPeers()), HasSubstr("cluster=\"de\\\"mo\\n\""));
}

}  // namespace
}  // namespace cluster::internal
