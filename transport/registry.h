// Registry: the transports of this library by name.
//
// What it is: an explicit table, one line per backend (registry.cc), so that
// the config's "transport" can choose. What it is not: needed for a transport
// from elsewhere: its factory is handed to NewServer. Nothing registers itself.
//
// Threads: safe from any. Errors: kNotFound, naming the known transports.
//
//   absl::StatusOr<TransportFactory> factory = FindTransport("zmq");
//   if (factory.ok()) auto transport = (*factory)(transport_config);

#ifndef CLUSTER_TRANSPORT_REGISTRY_H_
#define CLUSTER_TRANSPORT_REGISTRY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cluster/transport/transport.h"

namespace cluster {

// The factory of the transport of that name, letter by letter. kNotFound:
// `unknown transport "zmp"; did you mean "zmq"?; known: memory, nng, zmq`.
absl::StatusOr<TransportFactory> FindTransport(absl::string_view name);

// In the order in which errors list them.
std::vector<std::string> TransportNames();

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_REGISTRY_H_
