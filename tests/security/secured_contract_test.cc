// The transports keep their whole contract with security too.

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/registry.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"
#include "tests/harness/fresh_address.h"

namespace cluster::internal {
namespace {

// The greatest id of the contract's nodes.
constexpr int kIdMax = 12;
constexpr int kDeadId = 99;

// This process makes them once, for all nodes of the tests.
const KeyRequest& Keys() {
  static const KeyRequest* const keys = [] {
    auto* request = new KeyRequest;
    request->cluster = TransportConfig().cluster;
    request->folder = absl::StrCat(ScratchFolder(), "/contract");
    for (int id = 0; id <= kIdMax; ++id) request->server_ids.push_back(id);
    request->server_ids.push_back(kDeadId);
    const absl::Status status = MakeKeys(*request);
    EXPECT_TRUE(status.ok()) << status;
    return request;
  }();
  return *keys;
}

absl::StatusOr<std::unique_ptr<Transport>> NewSecured(
    const TransportConfig& config) {
  absl::StatusOr<TransportFactory> factory = FindTransport(SECURITY_BACKEND);
  if (!factory.ok()) return factory.status();
  TransportConfig secured = config;
  secured.security.emplace();
  secured.security->identity =
      absl::StrCat(Keys().folder, "/", config.server_id);
  for (int id : Keys().server_ids) {
    if (id == config.server_id) continue;
    secured.security->peers[id] = absl::StrCat(Keys().folder, "/public/", id);
  }
  return (*factory)(secured);
}

INSTANTIATE_TEST_SUITE_P(
    Secured, TransportContract,
    testing::Values(TransportUnderTest{"ipv4", NewSecured, FreshIpv4Address},
                    TransportUnderTest{"ipv6", NewSecured, FreshIpv6Address},
                    TransportUnderTest{"ipc", NewSecured, FreshIpcAddress}),
    TransportUnderTest::Name);

}  // namespace
}  // namespace cluster::internal
