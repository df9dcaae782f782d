// The tcp backend: the contract of all transports, and its own options, files
// and threads.

#include "cluster/transport/tcp/tcp_transport.h"

#include <memory>
#include <string>

#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/resolver/testing/fresh_name.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

INSTANTIATE_TEST_SUITE_P(
    Tcp, TransportContract,
    testing::Values(
        TransportUnderTest{"ipv4", NewTcpTransport, FreshIpv4Address},
        TransportUnderTest{"ipv6", NewTcpTransport, FreshIpv6Address},
        TransportUnderTest{"ipc", NewTcpTransport, FreshIpcAddress},
        TransportUnderTest{"name", NewTcpTransport, FreshName}),
    TransportUnderTest::Name);

}  // namespace
}  // namespace cluster::internal
