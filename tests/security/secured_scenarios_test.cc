// The four scenarios, with security.

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/harness/seed.h"
#include "tests/scenarios/scenario.h"

namespace cluster {
namespace {

using Case = std::tuple<Scenario, std::string, AddressKind>;

std::string CaseName(const testing::TestParamInfo<Case>& info) {
  const auto& [scenario, codec, address_kind] = info.param;
  return absl::StrCat(ScenarioName(scenario), "_", codec, "_",
                      AddressKindName(address_kind));
}

// nng has no TLS over ipc, and refuses to do without.
std::vector<AddressKind> AddressKinds() {
  if (std::string(SECURITY_BACKEND) == "nng") return {AddressKind::kIpv4};
  return {AddressKind::kIpv4, AddressKind::kIpc};
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
                     testing::ValuesIn(AddressKinds())),
    CaseName);

}  // namespace
}  // namespace cluster
