// Failures that no socket tells: stalls, black holes and half-open connections.
// Both servers find them by silence, say so, and go on where they were.

#include <functional>
#include <iostream>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/chaos/chaos_cluster.h"
#include "tests/harness/seed.h"

namespace cluster {
namespace {

constexpr std::uint64_t kEnvelopes = 200;

NetworkConditions Stall() {
  NetworkConditions conditions;
  conditions.stalled = true;
  return conditions;
}

NetworkConditions Swallow(Way way) {
  NetworkConditions conditions;
  conditions.swallows[static_cast<std::size_t>(way)] = true;
  return conditions;
}

struct Failure {
  const char* name;
  std::function<void(ProxyMesh*)> begin;
  // Who finds it for certain. Of one half-open connection the other side may
  // not: the first to find it dials anew, and is heard again before that one
  // runs out of patience.
  std::vector<int> finders;
};

// Nothing that server 1 says reaches 2, on whichever connection.
void SwallowFrom1To2(ProxyMesh* mesh) {
  mesh->proxy(1, 2).Set(Swallow(Way::kForward));
  mesh->proxy(2, 1).Set(Swallow(Way::kBackward));
}

NetworkConditions SwallowAll() {
  NetworkConditions conditions;
  conditions.swallows = {true, true};
  return conditions;
}

void LoseTarget(ProxyMesh* mesh, int from, int to) {
  mesh->proxy(from, to).Lose(Side::kTarget);
}

std::vector<Failure> Failures() {
  return {
      {"StallOneWay",
       [](ProxyMesh* mesh) { mesh->proxy(1, 2).Set(Stall()); },
       {1, 2}},
      {"StallBothWays", [](ProxyMesh* mesh) { mesh->SetAll(Stall()); }, {1, 2}},
      {"BlackHoleOneWay", SwallowFrom1To2, {1, 2}},
      {"BlackHoleBothWays",
       [](ProxyMesh* mesh) { mesh->SetAll(SwallowAll()); },
       {1, 2}},
      {"HalfOpenOneWay", [](ProxyMesh* mesh) { LoseTarget(mesh, 1, 2); }, {1}},
      {"HalfOpenBothWays",
       [](ProxyMesh* mesh) {
         LoseTarget(mesh, 1, 2);
         LoseTarget(mesh, 2, 1);
       },
       {1, 2}},
  };
}

void PrintTo(const Failure& failure, std::ostream* out) {
  *out << failure.name;
}

using Case = std::tuple<const char*, Failure>;

class FailureTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override { std::cout << "CLUSTER_TEST_SEED=" << seed_ << "\n"; }

  const std::uint64_t seed_ = TestSeed();
};

TEST_P(FailureTest, IsFoundSaidAndOvercome) {
  const auto& [transport, failure] = GetParam();
  Config config = ChaosConfig(transport);
  // So long that a busy machine gives no false alarm.
  config.peer_timeout = absl::Seconds(1);
  ChaosCluster cluster(config, 2);
  ASSERT_TRUE(cluster.Start());
  cluster.Exchange(kEnvelopes, seed_);
  ASSERT_TRUE(cluster.ledger().WaitUntilAllArrived());

  std::vector<int> downs;
  for (int finder : failure.finders)
    downs.push_back(cluster.watch().Downs(finder, 3 - finder));
  failure.begin(&cluster.mesh());
  cluster.Exchange(kEnvelopes, seed_ + 1);
  for (std::size_t i = 0; i < failure.finders.size(); ++i) {
    const int finder = failure.finders[i];
    EXPECT_TRUE(cluster.watch().WaitForDowns(finder, 3 - finder, downs[i] + 1));
  }

  cluster.mesh().SetAll({});
  cluster.Exchange(kEnvelopes, seed_ + 2);
  cluster.ExpectAllOnce();
  EXPECT_TRUE(cluster.watch().WaitUntilUp(1, 2));
  EXPECT_TRUE(cluster.watch().WaitUntilUp(2, 1));
  EXPECT_EQ(cluster.ledger().arrived(), 3 * 2 * kEnvelopes);
}

INSTANTIATE_TEST_SUITE_P(Backends, FailureTest,
                         testing::Combine(testing::ValuesIn(kBackends),
                                          testing::ValuesIn(Failures())),
                         [](const testing::TestParamInfo<Case>& info) {
                           return absl::StrCat(std::get<0>(info.param), "_",
                                               std::get<1>(info.param).name);
                         });

}  // namespace
}  // namespace cluster
