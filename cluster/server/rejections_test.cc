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
    rejections_.Report(
        RefusalReason::kUnauthenticated, PeerEvent::kNobody,
        [] { return "unknown key"; }, start_ + absl::Microseconds(i));
  }
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].withheld, 0u);
  rejections_.Report(
      RefusalReason::kUnauthenticated, PeerEvent::kNobody,
      [] { return "unknown key"; }, start_ + EventRation::kLeast);
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
    rejections_.Report(
        RefusalReason::kUnauthenticated, 2, [] { return "a"; }, start_);
    rejections_.Report(
        RefusalReason::kUnauthenticated, 3, [] { return "b"; }, start_);
    rejections_.Report(
        RefusalReason::kWrongIdentity, 3, [] { return "c"; }, start_);
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
    rejections_.Report(
        RefusalReason::kWrongIdentity, id, [] { return "claims"; }, start_);
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].peer, PeerEvent::kNobody);
}

TEST_F(RejectionsTest, AStrangerIsToldWithAllThatIsKnownAndThenEverMoreSeldom) {
  for (int second = 0; second < 100; ++second) {
    rejections_.Strange(7, {"n7:1\n", "10.0.0.7:4", absl::nullopt},
                        start_ + absl::Seconds(second));
  }
  ASSERT_EQ(events_.size(), 7u);  // after 0, 1, 3, 7, 15, 31 and 63 seconds
  EXPECT_EQ(events_[0].type, PeerEvent::kStranger);
  EXPECT_EQ(events_[0].peer, 7);
  EXPECT_EQ(events_[0].stranger.address, "n7:1\n");
  EXPECT_EQ(events_[0].stranger.source, "10.0.0.7:4");
  EXPECT_FALSE(events_[0].stranger.identity.has_value());
  EXPECT_EQ(events_[6].withheld, 31u);
  std::ostringstream text;
  text << events_[0];
  EXPECT_EQ(
      text.str(),
      "stranger 7: server 7 greets from 10.0.0.7:4 as \"n7:1\\x0a\", but "
      "is no member here: add it to \"servers\" here, or take this server "
      "out of its config");
  EXPECT_EQ(
      rejections_
          .counts()[static_cast<std::size_t>(RefusalReason::kUnknownSender)],
      100u);
}

TEST_F(RejectionsTest, SoManyStrangersAreKept) {
  const int kept = static_cast<int>(Rejections::kStrangersKept);
  const auto greet = [&](int id, absl::Duration after) {
    rejections_.Strange(id, {absl::StrCat("n", id), "", absl::nullopt},
                        start_ + after);
  };
  for (int id = 100; id < 10100; ++id) greet(id, absl::ZeroDuration());
  EXPECT_EQ(events_.size(), Rejections::kStrangersKept);
  // One that is kept goes on; one that is not heard any more makes room.
  greet(100, Rejections::kStrangerForgotten);
  ASSERT_EQ(events_.size(), Rejections::kStrangersKept + 1);
  EXPECT_EQ(events_.back().withheld, 10000u - static_cast<unsigned>(kept));
  greet(99999, Rejections::kStrangerForgotten);
  EXPECT_EQ(events_.back().peer, 99999);
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
