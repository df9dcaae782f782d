// The ledger finds each kind of error, and describes it.

#include "tests/harness/delivery_ledger.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kReceiver = 2;

Envelope Nth(std::uint64_t sequence, Lane lane = Lane::kNormal) {
  Envelope envelope;
  envelope.message_id = {7, sequence};
  envelope.pid = kReceiver;
  envelope.sender_id = 1;
  envelope.payload = "payload";
  envelope.lane = lane;
  return envelope;
}

TEST(DeliveryLedgerTest, AllInOrderIsNoProblemWhicheverIsToldFirst) {
  DeliveryLedger ledger;
  ledger.Sent(kReceiver, Nth(1));
  ledger.Arrived(kReceiver, Nth(1));
  ledger.Arrived(kReceiver, Nth(2));
  ledger.Sent(kReceiver, Nth(2));
  EXPECT_TRUE(ledger.WaitUntilAllArrived());
  EXPECT_THAT(ledger.Problems(), IsEmpty());
  EXPECT_EQ(ledger.arrived(), 2u);
}

TEST(DeliveryLedgerTest, LanesHaveNoOrderBetweenThem) {
  DeliveryLedger ledger;
  ledger.Sent(kReceiver, Nth(1));
  ledger.Sent(kReceiver, Nth(2, Lane::kUrgent));
  ledger.Arrived(kReceiver, Nth(2, Lane::kUrgent));
  ledger.Arrived(kReceiver, Nth(1));
  EXPECT_TRUE(ledger.WaitUntilAllArrived());
  EXPECT_THAT(ledger.Problems(), IsEmpty());
}

TEST(DeliveryLedgerTest, AMissingOneIsNamed) {
  DeliveryLedger ledger;
  ledger.Sent(kReceiver, Nth(1));
  ledger.Sent(kReceiver, Nth(2));
  ledger.Arrived(kReceiver, Nth(1));
  EXPECT_THAT(ledger.Problems(),
              ElementsAre(AllOf(HasSubstr("from 1 to 2, normal"),
                                HasSubstr("1 did not arrive after 1"),
                                HasSubstr("7-2"))));
}

TEST(DeliveryLedgerTest, OneAgainIsAProblemAtOnceOrAtTheEnd) {
  DeliveryLedger ledger;
  ledger.Sent(kReceiver, Nth(1));
  ledger.Arrived(kReceiver, Nth(1));
  ledger.Arrived(kReceiver, Nth(1));
  EXPECT_THAT(ledger.Problems(),
              ElementsAre(HasSubstr("1 arrived that were not sent, or twice")));
  ledger.Sent(kReceiver, Nth(2));
  EXPECT_FALSE(ledger.WaitUntilAllArrived());
  EXPECT_THAT(ledger.Problems()[0], HasSubstr("again, or late"));
}

TEST(DeliveryLedgerTest, OneThatOvertakesIsAProblem) {
  DeliveryLedger ledger;
  ledger.Sent(kReceiver, Nth(1));
  ledger.Sent(kReceiver, Nth(2));
  ledger.Arrived(kReceiver, Nth(2));
  EXPECT_FALSE(ledger.WaitUntilAllArrived());
  EXPECT_THAT(ledger.Problems()[0],
              HasSubstr("before 1 that were sent earlier"));
}

TEST(DeliveryLedgerTest, AChangedFieldIsNamed) {
  DeliveryLedger ledger;
  ledger.Sent(kReceiver, Nth(1));
  Envelope changed = Nth(1);
  changed.term = 9;
  changed.payload = "Payload";
  ledger.Arrived(kReceiver, changed);
  EXPECT_THAT(ledger.Problems()[0],
              AllOf(HasSubstr("term 9 for 0"), HasSubstr("payload hash"),
                    Not(HasSubstr("payload bytes"))));
}

TEST(DeliveryLedgerTest, AtMostOnceAllowsGapsAndNothingElse) {
  DeliveryLedger ledger(DeliveryLedger::Promise::kAtMostOnce);
  for (std::uint64_t n = 1; n <= 4; ++n) ledger.Sent(kReceiver, Nth(n));
  ledger.Arrived(kReceiver, Nth(3));
  EXPECT_THAT(ledger.Problems(), IsEmpty());
  EXPECT_EQ(ledger.lost(), 2u);
  ledger.Arrived(kReceiver, Nth(1));
  EXPECT_THAT(ledger.Problems(), ElementsAre(HasSubstr("not sent, or twice")));
}

}  // namespace
}  // namespace cluster::internal
