#include "cluster/server/rejections.h"

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;

class RejectionsTest : public testing::Test {
 protected:
  const absl::Time start_ = absl::UnixEpoch();
  std::vector<PeerEvent> events_;
  Rejections rejections_{
      [this](PeerEvent event) { events_.push_back(std::move(event)); },
      [](int id) { return id == 2 || id == 3; }};
};

TEST_F(RejectionsTest, AFloodIsOneEventAnIntervalThatTellsHowManyMore) {
  for (int i = 0; i < 1000; ++i) {
    rejections_.Report(RefusalReason::kUnauthenticated, PeerEvent::kNobody,
                       "unknown key", start_ + absl::Microseconds(i));
  }
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].withheld, 0u);
  rejections_.Report(RefusalReason::kUnauthenticated, PeerEvent::kNobody,
                     "unknown key", start_ + Rejections::kEventInterval);
  ASSERT_EQ(events_.size(), 2u);
  EXPECT_EQ(events_[1].withheld, 999u);
  std::ostringstream text;
  text << events_[1];
  EXPECT_EQ(text.str(),
            "a stranger rejected: unauthenticated: unknown key (and 999 more "
            "since the last report)");
}

TEST_F(RejectionsTest, ReasonsAndMembersDoNotHideEachOther) {
  for (int i = 0; i < 3; ++i) {
    rejections_.Report(RefusalReason::kUnauthenticated, 2, "a", start_);
    rejections_.Report(RefusalReason::kUnauthenticated, 3, "b", start_);
    rejections_.Report(RefusalReason::kWrongIdentity, 3, "c", start_);
  }
  ASSERT_EQ(events_.size(), 3u);
  EXPECT_EQ(events_[0].peer, 2);
  EXPECT_EQ(events_[1].peer, 3);
  EXPECT_THAT(events_[2].reason, HasSubstr("wrong identity: c"));
}

// Else a stranger that claims another id each time would get an event and an entry
// each time.
TEST_F(RejectionsTest, ClaimsThatNobodyHasAreOne) {
  for (int id = 100; id < 200; ++id)
    rejections_.Report(RefusalReason::kWrongIdentity, id, "claims", start_);
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].peer, PeerEvent::kNobody);
}

TEST_F(RejectionsTest, AllAreCounted) {
  for (int i = 0; i < 7; ++i) rejections_.Count(RefusalReason::kSilent);
  EXPECT_EQ(
      rejections_.counts()[static_cast<std::size_t>(RefusalReason::kSilent)],
      7u);
}

TEST_F(RejectionsTest, WithoutSecurityAnyConnectionSpeaksForAnybody) {
  EXPECT_TRUE(rejections_.MaySpeakFor(2, absl::nullopt));
  EXPECT_TRUE(events_.empty());
}

TEST_F(RejectionsTest, WithSecurityAConnectionSpeaksForWhoItProvedToBe) {
  Rejections rejections(
      [this](PeerEvent event) { events_.push_back(std::move(event)); },
      [](int) { return true; }, /*secured=*/true);
  EXPECT_TRUE(rejections.MaySpeakFor(2, 2));
  EXPECT_TRUE(events_.empty());
  EXPECT_FALSE(rejections.MaySpeakFor(2, 3));
  EXPECT_FALSE(rejections.MaySpeakFor(2, absl::nullopt));
  ASSERT_EQ(events_.size(), 2u);
  EXPECT_EQ(events_[0].peer, 2);
  EXPECT_THAT(events_[0].reason,
              HasSubstr("server 3 sent a frame in the name of server 2"));
  EXPECT_THAT(events_[1].reason, HasSubstr("proved nothing"));
  for (auto reason :
       {RefusalReason::kWrongIdentity, RefusalReason::kUnauthenticated}) {
    EXPECT_EQ(rejections.counts()[static_cast<std::size_t>(reason)], 1u);
  }
}

}  // namespace
}  // namespace cluster::internal
