// The transports' contract, for ZeroMQ over each kind of address.

#include "transport/zmq/zmq_transport.h"

#include "gtest/gtest.h"
#include "transport/contract/contract_suite.h"

namespace cluster {
namespace {

INSTANTIATE_TEST_SUITE_P(
    Zmq, TransportContract,
    testing::Values(
        TransportUnderTest{"ipv4", NewZmqTransport, FreshIpv4Address},
        TransportUnderTest{"ipv6", NewZmqTransport, FreshIpv6Address},
        TransportUnderTest{"ipc", NewZmqTransport, FreshIpcAddress}),
    TransportUnderTest::Name);

}  // namespace
}  // namespace cluster
