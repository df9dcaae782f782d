// The nng backend: the contract of all transports. //tests/streams tests the
// rest, for all backends on byte streams.

#include "cluster/transport/nng/nng_transport.h"

#include <functional>
#include <string>
#include <utility>

#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/resolver/testing/fresh_name.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

TransportUnderTest Overlapping(const std::string& name,
                               std::function<std::string()> fresh_address) {
  TransportUnderTest nng{name, NewNngTransport, std::move(fresh_address)};
  nng.callbacks_overlap = true;
  return nng;
}

INSTANTIATE_TEST_SUITE_P(Nng, TransportContract,
                         testing::Values(Overlapping("ipv4", FreshIpv4Address),
                                         Overlapping("ipv6", FreshIpv6Address),
                                         Overlapping("ipc", FreshIpcAddress),
                                         Overlapping("name", FreshName)),
                         TransportUnderTest::Name);

}  // namespace
}  // namespace cluster::internal
