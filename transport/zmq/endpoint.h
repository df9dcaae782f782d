// Translates addresses into ZeroMQ's words, and binds with care.
//
// ZeroMQ gets numbers only, so it never looks a name up. Bind leaves a Unix
// socket that is in use alone, and says what to do about an error. Stateless
// functions.
//
//   zmq::socket_t pull(context, zmq::socket_type::pull);
//   absl::StatusOr<Address> bound = Bind(address, &pull);

#ifndef CLUSTER_TRANSPORT_ZMQ_ENDPOINT_H_
#define CLUSTER_TRANSPORT_ZMQ_ENDPOINT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster/transport/address.h"
#include "cluster/transport/source_address.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace zmq_backend {

// Whether the socket needs IPv6: for IPv6 addresses, names and "*".
bool UsesV6(const Address& address);

// kInvalidArgument: port 0 or "*", which nobody can dial.
absl::Status CheckDialable(const Address& address);

// The argument of zmq_connect for a dialable address that is no name. kNotFound:
// the interface of its zone is not there. kInvalidArgument: `source` is of
// another family.
absl::StatusOr<std::string> DialEndpoint(const Address& address,
                                         const SourceAddress& source);

// Binds, and returns `address` with its port resolved and a number for its host.
// A name's numbers are tried in turn. It waits for the resolver; binding the
// result again does not.
// kAlreadyExists: the address is in use. For ipc that means by a living
// process: the socket file of a dead one is replaced, any other file is left
// alone. kFailedPrecondition: this machine has no such address or directory.
// kNotFound, kUnavailable: the name does not resolve (resolver.h).
absl::StatusOr<Address> Bind(const Address& address, zmq::socket_t* socket);

// Removes the socket file of a bound ipc address. Before the socket is closed:
// as long as it listens, nobody else takes the path.
void RemoveSocketFile(const Address& bound);

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_ENDPOINT_H_
