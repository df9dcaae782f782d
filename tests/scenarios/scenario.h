// Scenario: the four patterns of traffic that the library is for.
//
// RunScenario runs one with random traffic on a whole cluster, on one sending
// thread per server, and reports each accepted envelope to a ledger. It returns
// when all have sent; the ledger and the caller check the arrivals. A failing
// Send fails the running test. One at a time per cluster.
//
//   RunScenario(Scenario::kUnicast, load, &cluster, &ledger);
//   EXPECT_TRUE(ledger.WaitUntilAllArrived());

#ifndef TESTS_SCENARIOS_SCENARIO_H_
#define TESTS_SCENARIOS_SCENARIO_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/harness/delivery_ledger.h"
#include "tests/harness/test_cluster.h"

namespace cluster::internal {

enum class Scenario {
  kUnicast,    // each server to each other one
  kMulticast,  // each server broadcasts to all, and multicasts to some
  kMixed,      // both
  kCyclic,     // each server to the next one by id, the last one to the first
};
std::string ScenarioName(Scenario scenario);

struct Load {
  std::uint64_t seed = 1;
  // Each pair (in kMulticast: each sender) draws its number of envelopes from
  // this range.
  std::uint64_t envelopes_min = 1;
  std::uint64_t envelopes_max = 1000;
  // The bound of all random payloads, counted once per recipient.
  std::size_t payload_bytes = 20u << 20;
  // The first server also sends `large_payloads` of this size to the second.
  std::size_t large_payload_bytes = 8u << 20;
  int large_payloads = 1;
  // At most one envelope of each sender is in transit.
  bool wait_for_each = false;
};

void RunScenario(Scenario scenario, const Load& load, TestCluster* cluster,
                 DeliveryLedger* ledger);

struct Moved {
  std::uint64_t envelopes = 0;
  std::uint64_t payload_bytes = 0;
};

// Runs the scenario on a new cluster and checks the promises of reliable
// delivery. All envelopes arrive once, in order and unchanged; no others
// arrive; the figures add up. Returns the number of arrivals.
Moved CheckScenario(Scenario scenario, const Load& load, ClusterSpec spec);

}  // namespace cluster::internal

#endif  // TESTS_SCENARIOS_SCENARIO_H_
