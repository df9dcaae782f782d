#include "cluster/transport/resolver/dial_order.h"

#include <chrono>
#include <string>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using std::chrono::milliseconds;

std::string NextText(DialOrder* order) {
  const absl::optional<Address> next = order->Next();
  return next ? ToString(*next) : "none";
}

DialOrder OrderOf(const char* text) { return DialOrder(*ParseAddress(text)); }

TEST(DialOrderTest, ANumberIsAlwaysNext) {
  for (const char* text :
       {"10.0.0.1:80", "[::1]:80", "localhost:80", "ipc:///x"}) {
    DialOrder order = OrderOf(text);
    for (int i = 0; i < 3; ++i) {
      EXPECT_FALSE(order.GoesOn());
      EXPECT_EQ(NextText(&order), text);
      if (i == 1) order.Worked();
    }
    EXPECT_EQ(order.text(), text);
  }
}

TEST(DialOrderTest, ANameIsLookedUpForEachRound) {
  DialOrder order = OrderOf("db:80");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(NextText(&order), "none");
    order.Found({"::1", "10.0.0.1"});
    EXPECT_TRUE(order.GoesOn());
    EXPECT_EQ(NextText(&order), "[::1]:80");
    EXPECT_EQ(order.text(), "db:80 (::1)");
    EXPECT_EQ(NextText(&order), "10.0.0.1:80");
    EXPECT_FALSE(order.GoesOn());
  }
}

TEST(DialOrderTest, TheOneThatWorkedEndsTheRoundAndComesFirst) {
  DialOrder order = OrderOf("db:80");
  order.Found({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  order.Next();
  order.Next();
  order.Worked();
  EXPECT_EQ(NextText(&order), "none");
  order.Found({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  EXPECT_EQ(NextText(&order), "10.0.0.2:80");
  EXPECT_EQ(NextText(&order), "10.0.0.1:80");
  EXPECT_EQ(NextText(&order), "10.0.0.3:80");
  order.Found({"10.0.0.4"});
  EXPECT_EQ(NextText(&order), "10.0.0.4:80");
}

TEST(DialOrderTest, OneOfManyDoesNotUseUpTheTimeOfAll) {
  DialOrder order = OrderOf("db:80");
  order.Found({"10.0.0.1", "10.0.0.2"});
  order.Next();
  EXPECT_EQ(order.TimeOf(milliseconds(5000)), milliseconds(2500));
  EXPECT_EQ(order.TimeOf(milliseconds(1500)), milliseconds(1000));
  EXPECT_EQ(order.TimeOf(milliseconds(500)), milliseconds(500));
  order.Next();
  EXPECT_EQ(order.TimeOf(milliseconds(5000)), milliseconds(5000));
}

}  // namespace
}  // namespace cluster::internal
