#include "tests/scenarios/scenario.h"

#include <iostream>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/seed.h"
#include "tests/scenarios/sender.h"

namespace cluster::internal {

using ::testing::IsEmpty;

std::string ScenarioName(Scenario scenario) {
  switch (scenario) {
    case Scenario::kUnicast:
      return "Unicast";
    case Scenario::kMulticast:
      return "Multicast";
    case Scenario::kMixed:
      return "Mixed";
    case Scenario::kCyclic:
      return "Cyclic";
  }
  return "";
}

namespace {

void Plan(Scenario scenario, const std::vector<int>& ids, std::size_t index,
          Sender* sender) {
  if (scenario == Scenario::kCyclic)
    return sender->PlanUnicasts(ids[(index + 1) % ids.size()]);
  if (scenario != Scenario::kUnicast) sender->PlanMulticasts();
  if (scenario == Scenario::kMulticast) return;
  for (int receiver : ids) {
    if (receiver != ids[index]) sender->PlanUnicasts(receiver);
  }
}

}  // namespace

void RunScenario(Scenario scenario, const Load& load, TestCluster* cluster,
                 DeliveryLedger* ledger) {
  const std::vector<int>& ids = cluster->ids();
  std::vector<std::unique_ptr<Sender>> senders;
  for (std::size_t index = 0; index < ids.size(); ++index) {
    senders.push_back(
        std::make_unique<Sender>(&cluster->server(ids[index]), ids, load,
                                 PartSeed(load.seed, index), ledger));
    Plan(scenario, ids, index, senders.back().get());
  }
  senders[0]->PlanLarge(ids[1]);
  if (load.wait_for_each) {
    for (const auto& sender : senders) sender->Run();
    return;
  }
  std::vector<std::thread> threads;
  for (const auto& sender : senders)
    threads.emplace_back([&sender] { sender->Run(); });
  for (std::thread& thread : threads) thread.join();
}

Moved CheckScenario(Scenario scenario, const Load& load, ClusterSpec spec) {
  const std::string seed = absl::StrCat("CLUSTER_TEST_SEED=", load.seed);
  std::cout << seed << "\n";
  SCOPED_TRACE(seed);
  DeliveryLedger ledger;
  spec.on_envelope = [&](int receiver, const EnvelopeView& envelope) {
    ledger.Arrived(receiver, envelope);
  };
  TestCluster cluster(std::move(spec));
  if (!cluster.Start()) return {};
  RunScenario(scenario, load, &cluster, &ledger);
  const bool arrived = ledger.WaitUntilAllArrived();
  EXPECT_THAT(ledger.Problems(), IsEmpty());
  if (!arrived || !cluster.FlushAll()) return {};
  EXPECT_THAT(SettledProblems(cluster), IsEmpty());
  cluster.StopAll();
  // No other envelope came, up to the end.
  EXPECT_EQ(ledger.arrived(), ledger.sent());
  EXPECT_THAT(ledger.Problems(), IsEmpty());
  return {ledger.arrived(), ledger.arrived_bytes()};
}

}  // namespace cluster::internal
