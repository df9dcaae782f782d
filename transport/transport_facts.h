// The transports of this library, one line for each.
//
// A config's checks and the programs learn here what they need to know of a
// transport, without its code. registry.h makes transports.
//
//   const cluster::TransportFacts* facts = cluster::FindTransportFacts("zmq");

#ifndef CLUSTER_TRANSPORT_TRANSPORT_FACTS_H_
#define CLUSTER_TRANSPORT_TRANSPORT_FACTS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "cluster/export.h"

namespace cluster {

// The columns: its name in the config, the function that makes it, and three
// answers. Are its addresses those of sockets? Can it be secured? Does it join
// servers of one process only?
#define CLUSTER_TRANSPORTS(X)                         \
  X("memory", NewMemoryTransport, false, false, true) \
  X("nng", NewNngTransport, true, true, false)        \
  X("tcp", NewTcpTransport, true, true, false)        \
  X("zmq", NewZmqTransport, true, true, false)

struct TransportFacts {
  const char* name;
  // "host:port", "[v6]:port" or "ipc:///path".
  bool socket_addresses;
  bool can_be_secured;
  bool one_process_only;
};

// In the order in which texts list them.
inline constexpr TransportFacts kTransports[] = {
#define CLUSTER_FACTS(name, factory, sockets, secured, one_process) \
  {name, sockets, secured, one_process},
    CLUSTER_TRANSPORTS(CLUSTER_FACTS)
#undef CLUSTER_FACTS
};

// For a config that names no transport.
inline constexpr char kDefaultTransport[] = "zmq";

// Null: no transport of this library has that name.
CLUSTER_EXPORT const TransportFacts* FindTransportFacts(absl::string_view name);

// "nng, tcp or zmq": the transports for which `fact` has that value.
CLUSTER_EXPORT std::string TransportsThat(bool TransportFacts::*fact,
                                          bool value = true);

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_TRANSPORT_FACTS_H_
