// A transport from outside the library passes the contract and carries a
// scenario.

#include <string>
#include <utility>

#include "cluster/transport/contract/contract_suite.h"
#include "gtest/gtest.h"
#include "tests/custom/unix_transport.h"
#include "tests/harness/fresh_address.h"
#include "tests/harness/seed.h"
#include "tests/scenarios/scenario.h"

namespace cluster::internal {
namespace {

INSTANTIATE_TEST_SUITE_P(Custom, TransportContract,
                         testing::Values(TransportUnderTest{
                             "unix", NewUnixTransport, FreshIpcAddress}),
                         TransportUnderTest::Name);

class CustomTransportTest : public testing::TestWithParam<const char*> {};

TEST_P(CustomTransportTest, CarriesAScenario) {
  ClusterSpec spec;
  spec.config.transport = "unix";  // any name: the factory decides
  spec.config.codec = GetParam();
  spec.ids = FirstIds(4);
  spec.address_kind = AddressKind::kIpc;
  spec.make_server = [](int id, const Config& config) {
    return NewServer(id, config, NewUnixTransport);
  };
  Load load;
  load.seed = TestSeed();
  CheckScenario(Scenario::kMixed, load, std::move(spec));
}

INSTANTIATE_TEST_SUITE_P(Codecs, CustomTransportTest,
                         testing::Values("binary", "json"),
                         [](const testing::TestParamInfo<const char*>& info) {
                           return std::string(info.param);
                         });

TEST(CustomTransportOptionsTest, OnesThatItDoesNotKnowAreRefused) {
  Config config;
  config.transport = "unix";
  config.servers = {{1, FreshAddress(AddressKind::kIpc)}};
  config.transport_options["unix"].values["speed"] = std::int64_t{9};
  const auto server = NewServer(1, config, NewUnixTransport);
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cluster::internal
