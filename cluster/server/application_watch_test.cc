#include "cluster/server/application_watch.h"

#include <cstdint>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(1);
constexpr absl::Duration kStep = absl::Milliseconds(20);

// An application with an inbox, and looks at it in virtual time.
class Watched {
 public:
  explicit Watched(absl::Duration timeout = kTimeout) : watch(timeout) {}

  // Looks until `duration` has passed; whether it stands still by then.
  bool After(absl::Duration duration) {
    bool still = Look();
    for (const absl::Time end = now + duration; now < end;) {
      now += kStep;
      still = Look();
    }
    return still;
  }
  bool Look() { return watch.Look(now, {pushed, taken}, handler_since); }

  ApplicationWatch watch;
  absl::Time now = absl::UnixEpoch();
  std::uint64_t pushed = 0;
  std::uint64_t taken = 0;
  absl::Time handler_since = absl::InfiniteFuture();
};

TEST(ApplicationWatch, AnIdleOneNeverStandsStill) {
  Watched watched;
  EXPECT_FALSE(watched.After(absl::Hours(1)));
  watched.pushed = watched.taken = 7;
  EXPECT_FALSE(watched.After(absl::Hours(1)));
  EXPECT_EQ(watched.watch.stalls(), 0u);
}

TEST(ApplicationWatch, NothingIsWatchedWithoutATimeout) {
  Watched watched(absl::ZeroDuration());
  EXPECT_FALSE(watched.watch.on());
  watched.pushed = 1;
  watched.handler_since = watched.now;
  EXPECT_FALSE(watched.After(absl::Hours(1)));
}

TEST(ApplicationWatch, AnItemThatWaitsForTheTimeoutIsStandstill) {
  Watched watched;
  watched.pushed = 1;
  EXPECT_FALSE(watched.After(kTimeout - kStep));
  EXPECT_TRUE(watched.After(kStep));
  watched.taken = 1;
  EXPECT_FALSE(watched.Look());
  EXPECT_EQ(watched.watch.stalls(), 1u);
}

// Which of them it is that waits changes all the time.
TEST(ApplicationWatch, ItemsThatAreTakenInTimeAreNotStandstill) {
  Watched watched;
  for (int i = 0; i < 1000; ++i) {
    watched.pushed += 10;
    EXPECT_FALSE(watched.After(kStep)) << i;
    if (i >= 40) watched.taken += 10;  // after 800 ms
  }
}

TEST(ApplicationWatch, AnApplicationThatFallsTooFarBehindStandsStill) {
  Watched watched;
  bool still = false;
  for (int i = 0; i < 1000; ++i) {
    watched.pushed += 10;
    still = watched.After(kStep);
    if (i >= 60) watched.taken += 10;  // after 1200 ms
    EXPECT_TRUE(i < 70 || still) << i;
  }
  watched.taken = watched.pushed;
  EXPECT_FALSE(watched.Look());
  EXPECT_EQ(watched.watch.stalls(), 1u);
}

// After a standstill of many timeouts it does once it has taken those that waited
// for four of them.
TEST(ApplicationWatch, ItGoesOnWhenItTakesItemsAgain) {
  Watched watched;
  for (int i = 0; i < 1000; ++i) {
    ++watched.pushed;
    watched.After(kStep);
  }
  watched.taken = 100;
  EXPECT_TRUE(watched.Look());
  watched.taken = 300;
  EXPECT_FALSE(watched.Look());
  EXPECT_TRUE(watched.After(kTimeout));
  watched.taken = watched.pushed;
  EXPECT_FALSE(watched.Look());
}

TEST(ApplicationWatch, AHandlerThatRunsForTheTimeoutIsStandstill) {
  Watched watched;
  watched.handler_since = watched.now;
  EXPECT_FALSE(watched.After(kTimeout - kStep));
  EXPECT_TRUE(watched.After(kStep));
  watched.handler_since = watched.now;  // the next one
  EXPECT_FALSE(watched.Look());
}

TEST(ApplicationWatch, OneThatRenewsIsJudgedByThatAlone) {
  Watched watched;
  watched.pushed = 1;
  watched.handler_since = watched.now;
  for (int i = 0; i < 100; ++i) {
    watched.watch.Renew();
    EXPECT_FALSE(watched.After(kTimeout - kStep)) << i;
  }
  // It is idle, and still has to renew.
  watched.taken = 1;
  watched.handler_since = absl::InfiniteFuture();
  EXPECT_TRUE(watched.After(kTimeout));
  EXPECT_TRUE(watched.After(absl::Hours(1)));
  watched.watch.Renew();
  EXPECT_FALSE(watched.Look());
  EXPECT_EQ(watched.watch.stalls(), 1u);
}

}  // namespace
}  // namespace cluster::internal
