// Endpoints: addresses in ZeroMQ's words, and binding with the care that
// ZeroMQ does not take.
//
// What it is: "host:port" and "ipc:///path" turned into what zmq_connect and
// zmq_bind want, and a bind that resolves names, keeps its hands off a Unix
// socket that is in use, and says what to do about an error.
// What it is not: sockets' options (settings.h).
//
// Threads: functions without state. A name that has both IPv6 and IPv4
// addresses is bound and dialled at the IPv6 one. "localhost" is 127.0.0.1,
// since half of the machines resolve it to an ::1 where nobody listens.
//
//   zmq::socket_t pull(context, zmq::socket_type::pull);
//   absl::StatusOr<Address> bound = Bind(address, &pull);

#ifndef CLUSTER_TRANSPORT_ZMQ_ENDPOINT_H_
#define CLUSTER_TRANSPORT_ZMQ_ENDPOINT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster/transport/address.h"
#include "zmq.hpp"

namespace cluster {
namespace zmq_backend {

// Whether the socket needs IPv6: for IPv6 addresses, names and "*".
bool UsesV6(const Address& address);

// What zmq_connect wants; ZeroMQ resolves a name anew at each dial.
// kInvalidArgument: port 0 or "*", which nobody can dial.
absl::StatusOr<std::string> DialEndpoint(const Address& address);

// Binds and returns what is bound: `address` with its port resolved and, if its
// host is a name, a number for that. This waits for name service; what is
// returned can be bound again without. kAlreadyExists: the address is in use
// (for ipc: by a living process; the socket file of a dead one is replaced, any
// other file is left alone). kFailedPrecondition: this machine has no such
// address or directory. kNotFound: the name does not resolve.
absl::StatusOr<Address> Bind(const Address& address, zmq::socket_t* socket);

// Removes the socket file of a bound ipc address. Before the socket is closed:
// as long as it listens, nobody else takes the path.
void RemoveSocketFile(const Address& bound);

}  // namespace zmq_backend
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_ZMQ_ENDPOINT_H_
