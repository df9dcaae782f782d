#include "transport/nng/handshake_budget.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster {
namespace nng {
namespace {

constexpr int kTurns = HandshakeBudget::kTurnsMax;

class HandshakeBudgetTest : public testing::Test {
 protected:
  // How many turns `address` gets at once.
  int TakeAll(const std::string& address) {
    int turns = 0;
    while (turns <= kTurns && budget_.Take(address, now_)) ++turns;
    return turns;
  }

  HandshakeBudget budget_;
  Clock::time_point now_ = Clock::now();
};

TEST_F(HandshakeBudgetTest, EachAddressHasItsOwnTurns) {
  EXPECT_EQ(TakeAll("10.0.0.1"), kTurns);
  EXPECT_EQ(TakeAll("10.0.0.2"), kTurns);
  EXPECT_EQ(TakeAll("10.0.0.1"), 0);
}

TEST_F(HandshakeBudgetTest, TurnsComeBackOneByOneAndNoMoreThanThereWere) {
  TakeAll("10.0.0.1");
  now_ = HandshakeBudget::NextTurn(now_);
  EXPECT_EQ(TakeAll("10.0.0.1"), 1);
  now_ += 3 * HandshakeBudget::kTurnTime;
  EXPECT_EQ(TakeAll("10.0.0.1"), 3);
  now_ += 10 * kTurns * HandshakeBudget::kTurnTime;
  EXPECT_EQ(TakeAll("10.0.0.1"), kTurns);
}

TEST_F(HandshakeBudgetTest, WhoIsHonestPaysNothing) {
  for (int i = 0; i < 10 * kTurns; ++i) {
    ASSERT_TRUE(budget_.Take("10.0.0.1", now_)) << i;
    budget_.GiveBack("10.0.0.1");
  }
  EXPECT_EQ(TakeAll("10.0.0.1"), kTurns);
}

TEST_F(HandshakeBudgetTest, ItCannotBeSavedUp) {
  for (int i = 0; i < 10; ++i) budget_.GiveBack("10.0.0.1");
  ASSERT_TRUE(budget_.Take("10.0.0.1", now_));
  for (int i = 0; i < 10; ++i) budget_.GiveBack("10.0.0.1");
  EXPECT_EQ(TakeAll("10.0.0.1"), kTurns);
}

TEST_F(HandshakeBudgetTest, PursesAreBoundedAndTheRestShareOne) {
  for (std::size_t i = 0; i < HandshakeBudget::kAddressesMax; ++i) {
    ASSERT_TRUE(budget_.Take(absl::StrCat("10.0.0.", i), now_));
  }
  EXPECT_EQ(TakeAll("late"), kTurns);
  EXPECT_EQ(TakeAll("later"), 0);
  // Those that have all their turns again make room.
  now_ += kTurns * HandshakeBudget::kTurnTime;
  EXPECT_EQ(TakeAll("later"), kTurns);
  EXPECT_EQ(TakeAll("latest"), kTurns);
}

}  // namespace
}  // namespace nng
}  // namespace cluster
