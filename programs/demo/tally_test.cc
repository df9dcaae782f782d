// The demo's counting finds each kind of fault, or the demo would prove
// nothing.

#include "programs/demo/tally.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "programs/demo/scenario.h"

namespace cluster {
namespace demo {
namespace {

using ::testing::ElementsAre;

Tally TallyOf(const std::vector<std::uint64_t>& numbers) {
  ArrivalLog log(4);
  Tally tally;
  tally.sent = 4;
  for (std::uint64_t number : numbers) log.Add(number, &tally);
  return tally;
}

TEST(TallyTest, CountsWhatIsRight) {
  const Tally tally = TallyOf({0, 1, 2, 3});
  EXPECT_EQ(ToLine(tally), "4 4 0 0 0");
  EXPECT_EQ(tally.lost(), 0u);
}

TEST(TallyTest, TellsFaultsApart) {
  EXPECT_EQ(TallyOf({0, 2, 3}).lost(), 1u);
  EXPECT_EQ(ToLine(TallyOf({0, 2, 3})), "4 3 0 0 0");
  EXPECT_EQ(ToLine(TallyOf({0, 2, 1, 3})), "4 4 0 1 0");
  EXPECT_EQ(ToLine(TallyOf({0, 1, 1, 2, 3, 0})), "4 4 2 0 0");
  EXPECT_EQ(ToLine(TallyOf({0, 1, 2, 3, 4})), "4 4 0 0 1");
}

TEST(TallyTest, GoesOverALine) {
  Tally tally;
  ASSERT_TRUE(FromLine("1 2 3 4 5", &tally));
  EXPECT_EQ(ToLine(tally), "1 2 3 4 5");
  EXPECT_FALSE(FromLine("1 2 3 4", &tally));
  EXPECT_FALSE(FromLine("1 2 3 4 x", &tally));
}

TEST(ScenarioTest, NextIsByIdAndRound) {
  EXPECT_EQ(NextId(1, {1, 5, 9}), 5);
  EXPECT_EQ(NextId(9, {1, 5, 9}), 1);
  EXPECT_EQ(NextId(3, {3}), 3);
}

// Each sent number is an expected one.
TEST(ScenarioTest, RoundsAreNumberedPerPairWithoutGaps) {
  const std::vector<int> ids = {1, 5, 9};
  for (const Scenario& scenario : Scenarios()) {
    for (int sender : ids) {
      for (int receiver : ids) {
        std::uint64_t awaited = 0;
        for (std::uint64_t round = 0; round < 3; ++round) {
          for (const Envelope& envelope :
               RoundOf(scenario, sender, ids, round, 64)) {
            if (envelope.pid != receiver &&
                (envelope.pid != kBroadcast || sender == receiver))
              continue;
            std::size_t index = 0;
            std::uint64_t number = 0;
            ASSERT_TRUE(ReadNumberedPayload(envelope.payload, &index, &number));
            EXPECT_EQ(index, scenario.index);
            EXPECT_EQ(number, awaited++);
            EXPECT_EQ(envelope.payload.size(), 64u);
          }
        }
        EXPECT_EQ(awaited, 3 * PerRound(scenario, sender, receiver, ids))
            << scenario.name << " " << sender << "->" << receiver;
      }
    }
  }
}

TEST(ScenarioTest, HasTheFour) {
  std::vector<std::uint64_t> arrivals;
  for (const Scenario& scenario : Scenarios())
    arrivals.push_back(ArrivalsPerRound(scenario, 2, {1, 2, 3, 4}));
  EXPECT_THAT(arrivals, ElementsAre(3, 3, 6, 1));
}

TEST(ScenarioTest, ReadsNoOtherPayload) {
  std::size_t scenario = 0;
  std::uint64_t number = 0;
  for (const char* payload : {"", "1", "1 2", "1 x xxx", "1 2 xxy", "a 2 xx"})
    EXPECT_FALSE(ReadNumberedPayload(payload, &scenario, &number)) << payload;
}

}  // namespace
}  // namespace demo
}  // namespace cluster
