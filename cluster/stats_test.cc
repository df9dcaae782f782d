#include "cluster/stats.h"

#include <sstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

TEST(PeerStatsTest, SumsAddUpAndPresentValuesDoNot) {
  PeerStats before;
  before.frames_sent = 3;
  before.queued = 5;
  before.dropped[static_cast<std::size_t>(DropReason::kRemoved)] = 7;
  before.refused[static_cast<std::size_t>(RefusalReason::kGap)] = 9;
  PeerStats total = before;
  AddCounters(before, &total);
  EXPECT_EQ(total.frames_sent, 6u);
  EXPECT_EQ(total.queued, 5u);
  EXPECT_EQ(total.Dropped(DropReason::kRemoved), 14u);
  EXPECT_EQ(total.Refused(RefusalReason::kGap), 18u);
}

TEST(PeerStatsTest, ALineShowsEachCounterThatIsNotZero) {
  PeerStats stats;
  stats.peer = 2;
  stats.up = true;
  stats.accepted = 10;
  stats.in_flight = 1;
  stats.frames_sent = 4;
  stats.sessions = 1;
  stats.queued_bytes = 20;
  stats.unconsumed_bytes = 30;
  stats.dropped[static_cast<std::size_t>(DropReason::kTooLarge)] = 2;
  stats.refused[static_cast<std::size_t>(RefusalReason::kUnknownSession)] = 3;
  std::ostringstream line;
  line << stats;
  EXPECT_EQ(
      line.str(),
      "peer 2: up, 1 sessions, 10 accepted, 1 in flight, 20 bytes queued, "
      "30 bytes unconsumed, 4 frames sent, 2 dropped (too large), 3 "
      "frames refused (unknown session)");
}

TEST(PeerStatsTest, ALineLeavesNoFigureOut) {
  PeerStats stats;
  std::uint64_t value = 100;
#define CLUSTER_SET(name, kind, text) stats.name = ++value;
  CLUSTER_PEER_COUNTERS(CLUSTER_SET)
#undef CLUSTER_SET
  std::ostringstream line;
  line << stats;
  for (; value > 100; --value)
    EXPECT_NE(line.str().find(absl::StrCat(", ", value, " ")),
              std::string::npos)
        << line.str();
}

TEST(ReasonsTest, EachHasAName) {
  EXPECT_STREQ(DropReasonName(DropReason::kOverflow), "overflow");
  EXPECT_STREQ(DropReasonName(static_cast<DropReason>(kDropReasons - 1)),
               "withdrawn");
  EXPECT_STREQ(DropReasonName(static_cast<DropReason>(kDropReasons)),
               "unknown");
  EXPECT_STREQ(
      RefusalReasonName(static_cast<RefusalReason>(kRefusalReasons - 1)),
      "wrong delivery");
  EXPECT_STREQ(RefusalReasonName(static_cast<RefusalReason>(kRefusalReasons)),
               "unknown");
}

}  // namespace
}  // namespace cluster::internal
