#include "transport/nng/handshake_budget.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster {
namespace nng {
namespace {

class HandshakeBudgetTest : public testing::Test {
 protected:
  // How often `address` may begin and fail at once.
  int FailAll(const std::string& address) {
    int failures = 0;
    while (failures <= HandshakeBudget::kFailuresMax &&
           budget_.MayBegin(address, now_)) {
      budget_.Charge(address, now_);
      ++failures;
    }
    return failures;
  }

  HandshakeBudget budget_;
  Clock::time_point now_ = Clock::now();
};

constexpr int kFailures = HandshakeBudget::kFailuresMax;

TEST_F(HandshakeBudgetTest, EachAddressHasItsOwn) {
  EXPECT_EQ(FailAll("10.0.0.1"), kFailures);
  EXPECT_EQ(FailAll("10.0.0.2"), kFailures);
  EXPECT_EQ(FailAll("10.0.0.1"), 0);
}

TEST_F(HandshakeBudgetTest, TimeGivesItBackAndNoMoreThanThereWas) {
  FailAll("10.0.0.1");
  now_ = HandshakeBudget::NextTurn(now_);
  EXPECT_EQ(FailAll("10.0.0.1"), 1);
  now_ += 3 * HandshakeBudget::kFailureTime;
  EXPECT_EQ(FailAll("10.0.0.1"), 3);
  now_ += 10 * kFailures * HandshakeBudget::kFailureTime;
  EXPECT_EQ(FailAll("10.0.0.1"), kFailures);
}

// Many may have begun at the same time.
TEST_F(HandshakeBudgetTest, WhatFailsBeyondItCountsToo) {
  for (int i = 0; i < 3 * kFailures; ++i) budget_.Charge("10.0.0.1", now_);
  now_ += 2 * kFailures * HandshakeBudget::kFailureTime;
  EXPECT_EQ(FailAll("10.0.0.1"), 0);
  now_ += HandshakeBudget::kFailureTime;
  EXPECT_EQ(FailAll("10.0.0.1"), 1);
}

TEST_F(HandshakeBudgetTest, DebtsAreBoundedAndTheRestShareOne) {
  for (std::size_t i = 0; i < HandshakeBudget::kAddressesMax; ++i)
    budget_.Charge(absl::StrCat("10.0.0.", i), now_);
  EXPECT_EQ(FailAll("late"), kFailures);
  EXPECT_EQ(FailAll("later"), 0);
  // Those without a debt make room.
  now_ += kFailures * HandshakeBudget::kFailureTime;
  EXPECT_EQ(FailAll("later"), kFailures);
  EXPECT_EQ(FailAll("latest"), kFailures);
}

}  // namespace
}  // namespace nng
}  // namespace cluster
