// The four scenarios over one backend (SCENARIO_BACKEND), with each codec,
// numbers of servers and kinds of address.

#include <ostream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/harness/seed.h"
#include "tests/scenarios/scenario.h"

namespace cluster::internal {
namespace {

struct Shape {
  std::vector<int> ids;
  AddressKind address_kind;
};

void PrintTo(const Shape& shape, std::ostream* out) {
  *out << shape.ids.size() << AddressKindName(shape.address_kind);
}

using Case = std::tuple<Scenario, std::string, Shape>;

std::string CaseName(const testing::TestParamInfo<Case>& info) {
  const auto& [scenario, codec, shape] = info.param;
  return absl::StrCat(ScenarioName(scenario), "_", codec, "_", shape.ids.size(),
                      "_", AddressKindName(shape.address_kind));
}

class ScenarioTest : public testing::TestWithParam<Case> {};

TEST_P(ScenarioTest, DeliversExactlyOnceInOrderAndAsSent) {
  const auto& [scenario, codec, shape] = GetParam();
  ClusterSpec spec;
  spec.config.transport = SCENARIO_BACKEND;
  spec.config.codec = codec;
  spec.ids = shape.ids;
  spec.address_kind = shape.address_kind;
  Load load;
  load.seed = TestSeed();
  CheckScenario(scenario, load, std::move(spec));
}

INSTANTIATE_TEST_SUITE_P(
    Scenarios, ScenarioTest,
    testing::Combine(testing::Values(Scenario::kUnicast, Scenario::kMulticast,
                                     Scenario::kMixed, Scenario::kCyclic),
                     testing::Values("binary", "json"),
                     testing::Values(Shape{{0, kServerIdMax},
                                           AddressKind::kIpc},
                                     Shape{FirstIds(4), AddressKind::kIpv6},
                                     Shape{FirstIds(7), AddressKind::kIpv4})),
    CaseName);

}  // namespace
}  // namespace cluster::internal
