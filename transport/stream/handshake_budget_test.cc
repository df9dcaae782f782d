#include "cluster/transport/stream/handshake_budget.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace stream {
namespace {

class HandshakeBudgetTest : public testing::Test {
 protected:
  // How often `address` may begin at once, without a success.
  int BeginAll(const std::string& address) {
    int begun = 0;
    while (begun <= HandshakeBudget::kHandshakesMax &&
           budget_.Begin(address, now_)) {
      ++begun;
    }
    return begun;
  }

  HandshakeBudget budget_;
  HandshakeBudget::Clock::time_point now_ = HandshakeBudget::Clock::now();
};

constexpr int kHandshakes = HandshakeBudget::kHandshakesMax;

TEST_F(HandshakeBudgetTest, EachAddressHasItsOwn) {
  EXPECT_EQ(BeginAll("10.0.0.1"), kHandshakes);
  EXPECT_EQ(BeginAll("10.0.0.2"), kHandshakes);
  EXPECT_EQ(BeginAll("10.0.0.1"), 0);
}

TEST_F(HandshakeBudgetTest, TimeGivesItBackAndNoMoreThanThereWas) {
  BeginAll("10.0.0.1");
  now_ += HandshakeBudget::kHandshakeTime;
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
  // Time has paid for these already.
  now_ += kHandshakes * HandshakeBudget::kHandshakeTime;
  for (int i = 0; i < kHandshakes; ++i) budget_.Succeeded("10.0.0.1");
  EXPECT_EQ(BeginAll("10.0.0.1"), kHandshakes);
}

TEST_F(HandshakeBudgetTest, AllAddressesTogetherHaveOneMore) {
  int begun = 0;
  while (begun < 100 &&
         BeginAll(absl::StrCat("10.0.0.", begun)) == kHandshakes) {
    ++begun;
  }
  EXPECT_EQ(begun, HandshakeBudget::kAllHandshakesMax / kHandshakes);
  EXPECT_FALSE(budget_.Begin("10.0.1.1", now_));
  now_ += HandshakeBudget::kAllHandshakeTime;
  EXPECT_TRUE(budget_.Begin("10.0.1.1", now_));
  EXPECT_FALSE(budget_.Begin("10.0.1.2", now_));
  budget_.Succeeded("10.0.1.1");
  EXPECT_TRUE(budget_.Begin("10.0.1.2", now_));
}

TEST_F(HandshakeBudgetTest, ManyAddressesTakeNoMemoryForLong) {
  std::size_t most = 0;
  for (int i = 0; i < 10000; ++i) {
    budget_.Begin(absl::StrCat("10.0.0.", i), now_);
    now_ += HandshakeBudget::kAllHandshakeTime;
    most = std::max(most, budget_.addresses());
  }
  EXPECT_LE(most, 2048u);
}

}  // namespace
}  // namespace stream
}  // namespace cluster::internal
