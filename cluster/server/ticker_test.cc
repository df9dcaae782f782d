#include "cluster/server/ticker.h"

#include <atomic>
#include <future>

#include "absl/time/time.h"
#include "cluster/base/clock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

constexpr absl::Duration kInterval = absl::Milliseconds(1);

TEST(TickerTest, RestsUntilSomethingIsDue) {
  const absl::Time due = MonotonicNow() + absl::Milliseconds(1500);
  int ticks = 0;
  bool over = false;
  std::promise<void> done;
  Ticker ticker(
      [&] {
        ++ticks;
        if (MonotonicNow() >= due && !over) {
          over = true;
          done.set_value();
        }
        return over ? absl::InfiniteFuture() : due;
      },
      kInterval, kInterval);
  ASSERT_TRUE(ticker.Start().ok());
  done.get_future().wait();
  ticker.Stop();
  // At leisure there would be one each millisecond.
  EXPECT_LT(ticks, 100);
}

TEST(TickerTest, WakeEndsTheRest) {
  std::atomic<int> ticks{0};
  Ticker ticker(
      [&] {
        ++ticks;
        return absl::InfiniteFuture();
      },
      kInterval, kInterval);
  ASSERT_TRUE(ticker.Start().ok());
  // Without it the thread would tick every two seconds, and this time out.
  while (ticks < 100) ticker.Wake();
}

TEST(TickerTest, TicksSoonWhileSomethingIsDue) {
  std::promise<void> done;
  int ticks = 0;
  // At leisure the second tick would come in ten minutes at the earliest.
  Ticker ticker(
      [&] {
        if (++ticks == 20) done.set_value();
        return absl::InfinitePast();
      },
      kInterval, absl::Minutes(20));
  ASSERT_TRUE(ticker.Start().ok());
  done.get_future().wait();
}

TEST(TickerTest, StopEndsARest) {
  std::promise<void> ticked;
  Ticker ticker(
      [&] {
        ticked.set_value();
        return absl::InfiniteFuture();
      },
      absl::Minutes(20), absl::Minutes(20));
  ASSERT_TRUE(ticker.Start().ok());
  ticked.get_future().wait();
  ticker.Stop();
}

}  // namespace
}  // namespace cluster::internal
