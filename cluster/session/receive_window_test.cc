#include "cluster/session/receive_window.h"

#include "cluster/session/session_config.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

constexpr std::size_t kWindow = 3 * 1000 + 3 * kFrameChargeBytes;

TEST(ReceiveWindow, TakesOnlyTheNextFrame) {
  ReceiveWindow window(kWindow);
  EXPECT_EQ(window.Receive(2, 10), ReceiveResult::kGap);
  EXPECT_EQ(window.Receive(3, 10), ReceiveResult::kGapAgain);
  EXPECT_EQ(window.Receive(1, 10), ReceiveResult::kNext);
  window.Deliver(1);
  EXPECT_EQ(window.Receive(1, 10), ReceiveResult::kDuplicate);
  EXPECT_EQ(window.received_through(), 1u);
  // A new gap is reported again.
  EXPECT_EQ(window.Receive(3, 10), ReceiveResult::kGap);
}

TEST(ReceiveWindow, ConsumedFollowsTheApplication) {
  ReceiveWindow window(kWindow);
  for (int sequence = 1; sequence <= 2; ++sequence) {
    ASSERT_EQ(window.Receive(sequence, 10), ReceiveResult::kNext);
    window.Deliver(sequence);
  }
  EXPECT_EQ(window.received_through(), 2u);
  EXPECT_EQ(window.consumed_through(), 0u);
  EXPECT_FALSE(window.Consume(3));  // was not delivered
  EXPECT_TRUE(window.Consume(1));
  EXPECT_FALSE(window.Consume(1));
  EXPECT_EQ(window.consumed_through(), 1u);
  EXPECT_TRUE(window.Consume(2));
  EXPECT_EQ(window.consumed_through(), 2u);
  EXPECT_EQ(window.bytes(), 0u);
}

TEST(ReceiveWindow, MoreThanTheWindowIsAnOverrun) {
  ReceiveWindow window(kWindow);
  for (int sequence = 1; sequence <= 3; ++sequence) {
    ASSERT_EQ(window.Receive(sequence, 1000), ReceiveResult::kNext);
    window.Deliver(sequence);
  }
  EXPECT_EQ(window.bytes(), kWindow);
  EXPECT_EQ(window.Receive(4, 1), ReceiveResult::kOverrun);
  EXPECT_EQ(window.received_through(), 3u);
}

TEST(ReceiveWindow, AnEmptyWindowTakesAFrameOfAnySize) {
  ReceiveWindow window(kWindow);
  EXPECT_EQ(window.Receive(1, 100 * kWindow), ReceiveResult::kNext);
  window.Deliver(1);
  EXPECT_EQ(window.Receive(2, 1), ReceiveResult::kOverrun);
}

TEST(ReceiveWindow, PartsAreConsumedAsSoonAsAllBeforeThem) {
  ReceiveWindow window(kWindow);
  ASSERT_EQ(window.Receive(1, 1000), ReceiveResult::kNext);
  window.Deliver(1);
  EXPECT_TRUE(window.Consume(1));
  EXPECT_EQ(window.consumed_through(), 1u);
  EXPECT_EQ(window.bytes(), 0u);

  ASSERT_EQ(window.Receive(2, 1000), ReceiveResult::kNext);
  window.Deliver(2);
  ASSERT_EQ(window.Receive(3, 1000), ReceiveResult::kNext);
  window.Deliver(3);
  EXPECT_TRUE(window.Consume(3));
  EXPECT_EQ(window.consumed_through(), 1u);
  // They count while they wait, so no sender can pile them up.
  ASSERT_EQ(window.Receive(4, 1000), ReceiveResult::kNext);
  window.Deliver(4);
  EXPECT_TRUE(window.Consume(4));
  EXPECT_EQ(window.Receive(5, 1000), ReceiveResult::kOverrun);

  EXPECT_TRUE(window.Consume(2));
  EXPECT_EQ(window.consumed_through(), 4u);
  EXPECT_EQ(window.bytes(), 0u);
}

// One that is held keeps the acknowledgement back, and what is taken behind it
// counts against the window.
TEST(ReceiveWindow, WhatIsHeldIsNotConsumed) {
  ReceiveWindow window(kWindow);
  for (int sequence = 1; sequence <= 3; ++sequence)
    ASSERT_EQ(window.Receive(sequence, 1000), ReceiveResult::kNext);
  window.Deliver(1);
  window.Deliver(3);
  EXPECT_FALSE(window.Consume(2));
  EXPECT_TRUE(window.Consume(3));
  EXPECT_TRUE(window.Consume(1));
  EXPECT_EQ(window.consumed_through(), 1u);
  EXPECT_EQ(window.bytes(), kWindow - kWindow / 3);
  EXPECT_EQ(window.Receive(4, 1000), ReceiveResult::kNext);
  EXPECT_EQ(window.Receive(5, 1000), ReceiveResult::kOverrun);
  window.Deliver(2);
  EXPECT_TRUE(window.Consume(2));
  EXPECT_EQ(window.consumed_through(), 3u);
}

TEST(ReceiveWindow, ResetBeginsAtOne) {
  ReceiveWindow window(kWindow);
  ASSERT_EQ(window.Receive(1, 10), ReceiveResult::kNext);
  window.Deliver(1);
  window.Reset();
  EXPECT_EQ(window.received_through(), 0u);
  EXPECT_EQ(window.consumed_through(), 0u);
  EXPECT_EQ(window.bytes(), 0u);
  EXPECT_FALSE(window.Consume(1));
  EXPECT_EQ(window.Receive(1, 10), ReceiveResult::kNext);
}

}  // namespace
}  // namespace cluster::internal
