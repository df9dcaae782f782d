// The scenarios at many times their ordinary size. Prints the number of
// envelopes and their rate.

#include <chrono>
#include <iostream>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/harness/seed.h"
#include "tests/harness/transports.h"
#include "tests/scenarios/scenario.h"

namespace cluster::internal {
namespace {

using Case = std::tuple<const char*, std::string>;  // transport, codec

std::string CaseName(const testing::TestParamInfo<Case>& info) {
  return absl::StrCat(std::get<0>(info.param), "_", std::get<1>(info.param));
}

class SoakTest : public testing::TestWithParam<Case> {
 protected:
  ClusterSpec Spec(int servers) {
    ClusterSpec spec;
    std::tie(spec.config.transport, spec.config.codec) = GetParam();
    spec.ids = FirstIds(servers);
    // Waiting envelopes are in memory once per pair, and again in the ledger.
    spec.config.queue_bytes_max = 1u << 20;
    return spec;
  }

  void Run(Scenario scenario, const Load& load, ClusterSpec spec) {
    const auto start = std::chrono::steady_clock::now();
    const Moved moved = CheckScenario(scenario, load, std::move(spec));
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count();
    std::cout << ScenarioName(scenario) << ", " << std::get<0>(GetParam())
              << ", " << std::get<1>(GetParam()) << ": " << moved.envelopes
              << " envelopes, " << (moved.payload_bytes >> 20) << " MiB, "
              << seconds
              << " s: " << static_cast<double>(moved.envelopes) / seconds / 1e6
              << " M/s, "
              << static_cast<double>(moved.payload_bytes) / seconds / 1e6
              << " MB/s\n";
  }

  Load NewLoad() {
    Load load;
    load.seed = TestSeed();
    return load;
  }
};

TEST_P(SoakTest, AHundredThousandEnvelopesAPair) {
  Load load = NewLoad();
  load.envelopes_min = load.envelopes_max = 100000;
  load.payload_bytes = 1u << 30;
  Run(Scenario::kUnicast, load, Spec(4));
}

TEST_P(SoakTest, SixteenServers) {
  Load load = NewLoad();
  load.envelopes_max = 20000;
  load.payload_bytes = 1u << 30;
  for (Scenario scenario : {Scenario::kUnicast, Scenario::kMulticast,
                            Scenario::kMixed, Scenario::kCyclic}) {
    Run(scenario, load, Spec(16));
  }
}

TEST_P(SoakTest, PayloadsOf64MiB) {
  Load load = NewLoad();
  load.large_payload_bytes = 64u << 20;
  load.large_payloads = 20;
  ClusterSpec spec = Spec(3);
  spec.config.queue_bytes_max = 256u << 20;
  Run(Scenario::kCyclic, load, std::move(spec));
}

INSTANTIATE_TEST_SUITE_P(Backends, SoakTest,
                         testing::Combine(testing::ValuesIn(AllTransports()),
                                          testing::Values("binary", "json")),
                         CaseName);

}  // namespace
}  // namespace cluster::internal
