// The transports' contract, for ZeroMQ over each kind of address.

#include "cluster/transport/zmq/zmq_transport.h"

#include <memory>

#include "absl/status/statusor.h"
#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/resolver/testing/fresh_name.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

absl::StatusOr<std::unique_ptr<Transport>> NewSharingTransport(
    const TransportConfig& config) {
  TransportConfig sharing = config;
  sharing.options.values["share_context"] = true;
  return NewZmqTransport(sharing);
}

INSTANTIATE_TEST_SUITE_P(
    Zmq, TransportContract,
    testing::Values(
        TransportUnderTest{"ipv4", NewZmqTransport, FreshIpv4Address},
        TransportUnderTest{"ipv6", NewZmqTransport, FreshIpv6Address},
        TransportUnderTest{"ipc", NewZmqTransport, FreshIpcAddress},
        TransportUnderTest{"name", NewZmqTransport, FreshName},
        TransportUnderTest{"sharing", NewSharingTransport, FreshIpv4Address},
        TransportUnderTest{"sharing_ipc", NewSharingTransport,
                           FreshIpcAddress}),
    TransportUnderTest::Name);

}  // namespace
}  // namespace cluster::internal
