#include "transport/nng/handshake_budget.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster {
namespace nng {
namespace {

class HandshakeBudgetTest : public testing::Test {
 protected:
  // How often `address` may begin at once, with no success.
  int BeginAll(const std::string& address) {
    int begun = 0;
    while (begun <= HandshakeBudget::kHandshakesMax &&
           budget_.Begin(address, now_)) {
      ++begun;
    }
    return begun;
  }

  HandshakeBudget budget_;
  Clock::time_point now_ = Clock::now();
};

constexpr int kHandshakes = HandshakeBudget::kHandshakesMax;

TEST_F(HandshakeBudgetTest, EachAddressHasItsOwn) {
  EXPECT_EQ(BeginAll("10.0.0.1"), kHandshakes);
  EXPECT_EQ(BeginAll("10.0.0.2"), kHandshakes);
  EXPECT_EQ(BeginAll("10.0.0.1"), 0);
}

TEST_F(HandshakeBudgetTest, TimeGivesItBackAndNoMoreThanThereWas) {
  BeginAll("10.0.0.1");
  now_ = HandshakeBudget::NextTurn(now_);
  EXPECT_EQ(BeginAll("10.0.0.1"), 1);
  now_ += 3 * HandshakeBudget::kHandshakeTime;
  EXPECT_EQ(BeginAll("10.0.0.1"), 3);
  now_ += 10 * kHandshakes * HandshakeBudget::kHandshakeTime;
  EXPECT_EQ(BeginAll("10.0.0.1"), kHandshakes);
}

TEST_F(HandshakeBudgetTest, SuccessGivesItBackAndNoMoreThanThereWas) {
  for (int i = 0; i < 10 * kHandshakes; ++i) {
    ASSERT_TRUE(budget_.Begin("10.0.0.1", now_)) << i;
    budget_.Succeeded("10.0.0.1");
  }
  EXPECT_EQ(BeginAll("10.0.0.1"), kHandshakes);
  for (int i = 0; i < 3; ++i) budget_.Succeeded("10.0.0.1");
  EXPECT_EQ(BeginAll("10.0.0.1"), 3);
  // Late, when time has given it back already.
  now_ += kHandshakes * HandshakeBudget::kHandshakeTime;
  for (int i = 0; i < kHandshakes; ++i) budget_.Succeeded("10.0.0.1");
  EXPECT_EQ(BeginAll("10.0.0.1"), kHandshakes);
}

TEST_F(HandshakeBudgetTest, DebtsAreBoundedAndTheRestShareOne) {
  for (std::size_t i = 0; i < HandshakeBudget::kAddressesMax; ++i)
    ASSERT_TRUE(budget_.Begin(absl::StrCat("10.0.0.", i), now_));
  EXPECT_EQ(BeginAll("late"), kHandshakes);
  EXPECT_EQ(BeginAll("later"), 0);
  // Those without a debt make room.
  now_ += kHandshakes * HandshakeBudget::kHandshakeTime;
  EXPECT_EQ(BeginAll("later"), kHandshakes);
  EXPECT_EQ(BeginAll("latest"), kHandshakes);
}

}  // namespace
}  // namespace nng
}  // namespace cluster
