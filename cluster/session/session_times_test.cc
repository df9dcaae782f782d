// Heartbeats and timeouts that change while a session lives.

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

void Take(SessionPair* pair, SessionEnd* end, absl::Duration heartbeat,
          absl::Duration timeout) {
  end->config.heartbeat = heartbeat;
  end->config.peer_timeout = timeout;
  end->session->Take(end->config, pair->now);
}

// When the end finds the other one down, of whom nothing is heard any more.
absl::Duration SilenceUntilDown(SessionPair* pair, SessionEnd* end,
                                bool* other_is_heard) {
  pair->Exchange();
  *other_is_heard = false;
  const absl::Time begin = pair->now;
  while (end->session->up() && pair->now < begin + absl::Minutes(10))
    pair->Advance(absl::Milliseconds(10));
  *other_is_heard = true;
  return pair->now - begin;
}

// The other end's heartbeat, 500 ms, is longer than the new timeout.
TEST(SessionTimes, AShorterTimeoutCountsAndNobodyFlaps) {
  SessionPair pair;
  pair.Connect();
  Take(&pair, &pair.one, absl::Milliseconds(50), absl::Milliseconds(100));
  pair.Advance(absl::Minutes(1));
  EXPECT_EQ(pair.one.events.front().type, PeerEvent::kUp);
  for (const SessionEnd* const end : {&pair.one, &pair.two}) {
    for (const PeerEvent& event : end->events)
      EXPECT_NE(event.type, PeerEvent::kDown) << event.reason;
    EXPECT_EQ(end->Stats().sessions, 1u);
  }
  EXPECT_LE(SilenceUntilDown(&pair, &pair.one, &pair.two_is_heard),
            absl::Milliseconds(120));
}

TEST(SessionTimes, ALongerTimeoutCountsAtOnce) {
  SessionPair pair;
  pair.Connect();
  Take(&pair, &pair.one, absl::Milliseconds(500), absl::Seconds(9));
  const absl::Duration silence =
      SilenceUntilDown(&pair, &pair.one, &pair.two_is_heard);
  EXPECT_GE(silence, absl::Seconds(8));
  EXPECT_LE(silence, absl::Seconds(10));
}

// The peer goes by the timeout of before, as far as this end can know.
TEST(SessionTimes, AShorterTimeoutWaitsForAPeerThatHasNotHeardOfIt) {
  SessionPair pair;
  pair.Connect();
  pair.one_is_heard = false;
  Take(&pair, &pair.one, absl::Milliseconds(50), absl::Milliseconds(100));
  pair.Advance(absl::Seconds(1));
  EXPECT_EQ(pair.one.Events(), "up warning");  // that times do not fit
  pair.one_is_heard = true;
  pair.Advance(absl::Seconds(2));
  EXPECT_LE(SilenceUntilDown(&pair, &pair.one, &pair.two_is_heard),
            absl::Milliseconds(120));
}

TEST(SessionTimes, ALongerHeartbeatStillFitsThePeersTimeout) {
  SessionPair pair;
  pair.Connect();
  Take(&pair, &pair.one, absl::Seconds(30), absl::Seconds(90));
  pair.Advance(absl::Minutes(1));
  for (const PeerEvent& event : pair.two.events)
    EXPECT_NE(event.type, PeerEvent::kDown) << event.reason;
}

TEST(SessionTimes, AHeartbeatReachesThePeer) {
  SessionPair pair;
  pair.Connect();
  Take(&pair, &pair.one, absl::Milliseconds(100), absl::Seconds(2));
  const std::uint64_t before = pair.two.frames_heard;
  pair.Advance(absl::Seconds(10));
  EXPECT_GE(pair.two.frames_heard - before, 95u);
  EXPECT_LE(pair.two.frames_heard - before, 110u);
  EXPECT_EQ(pair.one.Events(), "up");
  EXPECT_EQ(pair.two.Events(), "up");
}

// It hears of it with the next session, or the one after.
TEST(SessionTimes, TimesThatChangeWithoutASessionCountInTheNext) {
  SessionPair pair;
  Take(&pair, &pair.one, absl::Milliseconds(50), absl::Milliseconds(100));
  pair.Connect();
  pair.Advance(absl::Seconds(2));
  EXPECT_LE(SilenceUntilDown(&pair, &pair.one, &pair.two_is_heard),
            absl::Milliseconds(120));
}

TEST(SessionTimes, TheLastOfManyChangesCounts) {
  SessionPair pair;
  pair.Connect();
  for (int i = 0; i < 200; ++i) {
    const auto timeout = absl::Milliseconds(100 << (i * 7 % 6));
    Take(&pair, i % 3 == 0 ? &pair.two : &pair.one, timeout / 2, timeout);
    pair.Advance(absl::Milliseconds(10 * (i % 20)));
  }
  for (SessionEnd* const end : {&pair.one, &pair.two})
    Take(&pair, end, absl::Milliseconds(100), absl::Milliseconds(200));
  pair.Advance(absl::Seconds(5));
  for (const SessionEnd* const end : {&pair.one, &pair.two}) {
    for (const PeerEvent& event : end->events)
      EXPECT_NE(event.type, PeerEvent::kDown) << event.reason;
  }
  EXPECT_LE(SilenceUntilDown(&pair, &pair.one, &pair.two_is_heard),
            absl::Milliseconds(220));
}

// Releases 0.2.0 and 0.3.0: they would not heed the new hello, nor say so.
TEST(SessionTimes, APeerWithoutTheFeatureHearsNothingOfIt) {
  SessionPair pair;
  pair.two.config.features = kFeatureGroups;
  pair.two.Restart(1);
  pair.Connect();
  EXPECT_EQ(pair.one.session->features(), kFeatureGroups);
  const std::uint64_t before = pair.two.frames_heard;
  pair.one.session->Take(
      [&] {
        SessionConfig shorter = pair.one.config;
        shorter.peer_timeout = absl::Milliseconds(1000);
        return shorter;
      }(),
      pair.now);
  pair.Advance(absl::Seconds(10));
  EXPECT_LE(pair.two.frames_heard - before, 22u);  // heartbeats
  // So it goes on with the timeout of before.
  EXPECT_GE(SilenceUntilDown(&pair, &pair.one, &pair.two_is_heard),
            absl::Milliseconds(1400));
}

TEST(SessionTimes, ASessionThatIsIdleIsNotBusyAfterAChange) {
  SessionPair pair;
  pair.Connect();
  Take(&pair, &pair.one, absl::Milliseconds(500), absl::Seconds(3));
  EXPECT_TRUE(pair.one.session->Busy());
  pair.Advance(absl::Seconds(1));
  EXPECT_FALSE(pair.one.session->Busy());
  EXPECT_FALSE(pair.two.session->Busy());
}

}  // namespace
}  // namespace cluster::internal
