// The scenarios over the plain transport: envelopes arrive at most once and in
// order. All arrive if at most one envelope is in transit.

#include <iostream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/seed.h"
#include "tests/harness/transports.h"
#include "tests/scenarios/scenario.h"

namespace cluster::internal {
namespace {

using ::testing::Combine;
using ::testing::IsEmpty;
using ::testing::Values;

using Case = std::tuple<const char*, std::string>;  // transport, codec

std::string CaseName(const testing::TestParamInfo<Case>& info) {
  return absl::StrCat(std::get<0>(info.param), "_", std::get<1>(info.param));
}

class BestEffortTest : public testing::TestWithParam<Case> {
 protected:
  ClusterSpec Spec(int servers, DeliveryLedger* ledger) {
    ClusterSpec spec;
    spec.config.delivery = Delivery::kBestEffort;
    spec.config.transport = std::get<0>(GetParam());
    spec.config.codec = std::get<1>(GetParam());
    spec.ids = FirstIds(servers);
    spec.on_envelope = [ledger](int receiver, const EnvelopeView& envelope) {
      ledger->Arrived(receiver, envelope);
    };
    return spec;
  }

  Load SmallLoad() {
    Load load;
    load.seed = TestSeed();
    load.payload_bytes = 4u << 20;
    load.large_payloads = 0;
    std::cout << "CLUSTER_TEST_SEED=" << load.seed << "\n";
    return load;
  }
};

TEST_P(BestEffortTest, AllArrivesWhereEachIsWaitedFor) {
  for (Scenario scenario : {Scenario::kUnicast, Scenario::kMulticast,
                            Scenario::kMixed, Scenario::kCyclic}) {
    SCOPED_TRACE(ScenarioName(scenario));
    DeliveryLedger ledger;
    TestCluster cluster(Spec(3, &ledger));
    ASSERT_TRUE(cluster.Start());
    Load load = SmallLoad();
    load.envelopes_max = 100;
    load.wait_for_each = true;
    RunScenario(scenario, load, &cluster, &ledger);
    cluster.StopAll();
    EXPECT_THAT(SettledProblems(cluster), IsEmpty());
    EXPECT_EQ(ledger.arrived(), ledger.sent());
    EXPECT_THAT(ledger.Problems(), IsEmpty());
  }
}

TEST_P(BestEffortTest, AFloodArrivesAtMostOnceAndInOrder) {
  DeliveryLedger ledger(DeliveryLedger::Promise::kAtMostOnce);
  TestCluster cluster(Spec(4, &ledger));
  ASSERT_TRUE(cluster.Start());
  RunScenario(Scenario::kMixed, SmallLoad(), &cluster, &ledger);
  cluster.StopAll();
  EXPECT_THAT(ledger.Problems(), IsEmpty());
  EXPECT_GT(ledger.arrived(), 0u);
  for (int id : cluster.ids())
    EXPECT_THAT(BalanceProblems(id, cluster.Stats(id)), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Backends, BestEffortTest,
                         Combine(testing::ValuesIn(AllTransports()),
                                 Values("binary", "json")),
                         CaseName);

}  // namespace
}  // namespace cluster::internal
