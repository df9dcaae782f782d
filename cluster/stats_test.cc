#include "cluster/stats.h"

#include <sstream>

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
  stats.frames_sent = 4;  // for programs only
  stats.dropped[static_cast<std::size_t>(DropReason::kTooLarge)] = 2;
  stats.refused[static_cast<std::size_t>(RefusalReason::kUnknownSession)] = 3;
  std::ostringstream line;
  line << stats;
  EXPECT_EQ(line.str(),
            "peer 2: up, 10 accepted, 1 in flight, 2 dropped (too large), 3 "
            "frames refused (unknown session)");
}

TEST(ReasonsTest, EachHasAName) {
  EXPECT_STREQ(DropReasonName(DropReason::kOverflow), "overflow");
  EXPECT_STREQ(DropReasonName(static_cast<DropReason>(kDropReasons - 1)),
               "unsupported");
  EXPECT_STREQ(DropReasonName(static_cast<DropReason>(kDropReasons)),
               "unknown");
  EXPECT_STREQ(
      RefusalReasonName(static_cast<RefusalReason>(kRefusalReasons - 1)),
      "stalled");
  EXPECT_STREQ(RefusalReasonName(static_cast<RefusalReason>(kRefusalReasons)),
               "unknown");
}

}  // namespace
}  // namespace cluster::internal
