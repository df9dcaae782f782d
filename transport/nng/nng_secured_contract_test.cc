// The secured nng backend against the contract of all transports.

#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "transport/contract/contract_suite.h"
#include "transport/nng/mutual_transport.h"
#include "transport/nng/nng_transport.h"
#include "transport/nng/secured_nodes.h"

namespace cluster {
namespace {

// All ids that the contract's tests use.
const nng::TestKeys& Keys() {
  static const nng::TestKeys keys({0, 1, 2, 3, 4, 9, 99});
  return keys;
}

absl::StatusOr<std::unique_ptr<Transport>> NewSecured(
    const TransportConfig& from) {
  TransportConfig config = from;
  config.security = Keys().FilesOf(config.server_id);
  auto transport = NewNngTransport(config);
  if (!transport.ok()) return transport.status();
  return nng::NewMutualTransport(*std::move(transport), config.server_id);
}

INSTANTIATE_TEST_SUITE_P(
    NngSecured, TransportContract,
    testing::Values(TransportUnderTest{"ipv4", NewSecured, FreshIpv4Address},
                    TransportUnderTest{"ipv6", NewSecured, FreshIpv6Address}),
    TransportUnderTest::Name);

}  // namespace
}  // namespace cluster
