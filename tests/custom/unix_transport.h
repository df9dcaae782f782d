// UnixTransport: a transport from outside of the library, over Unix stream
// sockets of Linux' abstract namespace.
//
// What it is: the proof that a backend needs nothing but the public headers of
// //transport: it passes the contract suite, and NewServer takes it as it is.
// Each frame goes as four bytes of length and its bytes. Addresses are
// "ipc:///path"; no file is made. What it is not: fast (it copies), secured, or
// a closer of connections that say nothing; and between processes of one
// machine and byte order only.
//
// Threads: as Transport says; two per started transport. Options: none. Errors:
// as Transport says.
//
//   auto server = NewServer(1, config, NewUnixTransport);

#ifndef TESTS_CUSTOM_UNIX_TRANSPORT_H_
#define TESTS_CUSTOM_UNIX_TRANSPORT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "cluster/transport/transport.h"

namespace cluster {

absl::StatusOr<std::unique_ptr<Transport>> NewUnixTransport(
    const TransportConfig& config);

}  // namespace cluster

#endif  // TESTS_CUSTOM_UNIX_TRANSPORT_H_
