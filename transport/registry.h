// Finds a transport by its name in the config ("transport": "zmq").
//
// The table in registry.cc has one line per backend; nothing registers itself.
// A transport from elsewhere needs no line: give its factory to NewServer.
// Thread-safe.
//
//   absl::StatusOr<TransportFactory> factory = FindTransport("zmq");
//   if (factory.ok()) auto transport = (*factory)(transport_config);

#ifndef CLUSTER_TRANSPORT_REGISTRY_H_
#define CLUSTER_TRANSPORT_REGISTRY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cluster/export.h"
#include "cluster/transport/options.h"
#include "cluster/transport/transport.h"

namespace cluster {

// The factory of the transport of that name, letter by letter. kNotFound:
// `unknown transport "zmp"; did you mean "zmq"?; known: memory, nng, zmq`.
// The factory of a transport that the build left out (optional.bzl) returns
// kUnimplemented, and the text names the flag that did.
CLUSTER_EXPORT absl::StatusOr<TransportFactory> FindTransport(
    absl::string_view name);

// Whether that transport takes these options; OK for a transport from
// elsewhere, or one that the build left out. For those that a config has for
// another transport than its own.
CLUSTER_EXPORT absl::Status CheckTransportOptions(
    absl::string_view name, const TransportOptions& options);

// In the order in which errors list them.
CLUSTER_EXPORT std::vector<std::string> TransportNames();

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_REGISTRY_H_
