// UnixTransport: an example of a transport, over Unix stream sockets of Linux's
// abstract namespace ("ipc:///path"; there is no file). It has no security, and
// does not close silent connections.
//
//   auto server = NewServer(1, config, NewUnixTransport);

#ifndef TESTS_CUSTOM_UNIX_TRANSPORT_H_
#define TESTS_CUSTOM_UNIX_TRANSPORT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {

absl::StatusOr<std::unique_ptr<Transport>> NewUnixTransport(
    const TransportConfig& config);

}  // namespace cluster::internal

#endif  // TESTS_CUSTOM_UNIX_TRANSPORT_H_
