// The four scenarios, with security.

#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/harness/seed.h"
#include "tests/scenarios/scenario.h"

namespace cluster::internal {
namespace {

using Case = std::tuple<Scenario, std::string, AddressKind>;

std::string CaseName(const testing::TestParamInfo<Case>& info) {
  const auto& [scenario, codec, address_kind] = info.param;
  return absl::StrCat(ScenarioName(scenario), "_", codec, "_",
                      AddressKindName(address_kind));
}

class SecuredScenarioTest : public testing::TestWithParam<Case> {};

TEST_P(SecuredScenarioTest, DeliversExactlyOnceInOrderAndAsSent) {
  const auto& [scenario, codec, address_kind] = GetParam();
  ClusterSpec spec;
  spec.config.transport = SECURITY_BACKEND;
  spec.config.codec = codec;
  spec.ids = FirstIds(4);
  spec.address_kind = address_kind;
  spec.secured = true;
  Load load;
  load.seed = TestSeed();
  CheckScenario(scenario, load, std::move(spec));
}

INSTANTIATE_TEST_SUITE_P(
    Scenarios, SecuredScenarioTest,
    testing::Combine(testing::Values(Scenario::kUnicast, Scenario::kMulticast,
                                     Scenario::kMixed, Scenario::kCyclic),
                     testing::Values("binary", "json"),
                     testing::Values(AddressKind::kIpv4, AddressKind::kIpc)),
    CaseName);

}  // namespace
}  // namespace cluster::internal
