// Failures that no socket reports: stalls, black holes and half-open
// connections. Both servers detect the silence, report it, and go on
// afterwards.

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

namespace cluster::internal {
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
};

// From now on no byte from server 1 reaches 2, on any connection.
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
      {"StallOneWay", [](ProxyMesh* mesh) { mesh->proxy(1, 2).Set(Stall()); }},
      {"StallBothWays", [](ProxyMesh* mesh) { mesh->SetAll(Stall()); }},
      {"BlackHoleOneWay", SwallowFrom1To2},
      {"BlackHoleBothWays",
       [](ProxyMesh* mesh) { mesh->SetAll(SwallowAll()); }},
      // The server that detects this first dials anew, and is heard again.
      {"HalfOpenOneWay", [](ProxyMesh* mesh) { LoseTarget(mesh, 1, 2); }},
      {"HalfOpenBothWays",
       [](ProxyMesh* mesh) {
         LoseTarget(mesh, 1, 2);
         LoseTarget(mesh, 2, 1);
       }},
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
  // Long enough to cause no false alarm on a busy machine.
  config.peer_timeout = absl::Seconds(1);
  ChaosCluster cluster(config, 2);
  ASSERT_TRUE(cluster.Start());
  cluster.Exchange(kEnvelopes, seed_);
  ASSERT_TRUE(cluster.ledger().WaitUntilAllArrived());

  const int downs_at_1 = cluster.watch().Downs(1, 2);
  const int downs_at_2 = cluster.watch().Downs(2, 1);
  failure.begin(&cluster.mesh());
  cluster.Exchange(kEnvelopes, seed_ + 1);
  EXPECT_TRUE(cluster.watch().WaitForDowns(1, 2, downs_at_1 + 1));
  EXPECT_TRUE(cluster.watch().WaitForDowns(2, 1, downs_at_2 + 1));

  cluster.mesh().SetAll({});
  cluster.Exchange(kEnvelopes, seed_ + 2);
  cluster.ExpectAllOnce();
  EXPECT_TRUE(cluster.watch().WaitUntilUp(1, 2));
  EXPECT_TRUE(cluster.watch().WaitUntilUp(2, 1));
  EXPECT_EQ(cluster.ledger().arrived(), 3 * 2 * kEnvelopes);
}

INSTANTIATE_TEST_SUITE_P(Backends, FailureTest,
                         testing::Combine(testing::ValuesIn(Backends()),
                                          testing::ValuesIn(Failures())),
                         [](const testing::TestParamInfo<Case>& info) {
                           return absl::StrCat(std::get<0>(info.param), "_",
                                               std::get<1>(info.param).name);
                         });

}  // namespace
}  // namespace cluster::internal
