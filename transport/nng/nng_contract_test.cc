// The nng backend against the contract of all transports.

#include "gtest/gtest.h"
#include "transport/contract/contract_suite.h"
#include "transport/nng/nng_transport.h"

namespace cluster {
namespace {

INSTANTIATE_TEST_SUITE_P(
    Nng, TransportContract,
    testing::Values(
        TransportUnderTest{"ipv4", NewNngTransport, FreshIpv4Address},
        TransportUnderTest{"ipv6", NewNngTransport, FreshIpv6Address},
        TransportUnderTest{"ipc", NewNngTransport, FreshIpcAddress}),
    TransportUnderTest::Name);

}  // namespace
}  // namespace cluster
