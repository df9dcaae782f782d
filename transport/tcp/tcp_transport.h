// The tcp backend: length-prefixed frames (transport/stream/preamble.h) over the
// system's sockets, tcp and ipc; with security, in mutual TLS 1.3.
//
// One thread of a transport receives for all its connections, and calls the
// handler itself; a second one takes over while OnDrained blocks
// (receive_threads.h). A send on an idle connection is the caller's own system
// call. A busy one is written to by the receiving thread. It speaks to servers
// over nng, too: their bytes are the same.

#ifndef CLUSTER_TRANSPORT_TCP_TCP_TRANSPORT_H_
#define CLUSTER_TRANSPORT_TCP_TCP_TRANSPORT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "cluster/transport/transport.h"

namespace cluster {

// Options ("tcp": {...}), beside those of stream_transport.h:
//   source_address       ""  the own number to dial from; "": the system chooses
//   tcp_user_timeout_ms  0   0-1073741824  TCP gives up unacknowledged bytes; 0:
//                            the system decides
//   keepalive_seconds    15  0-32767  TCP asks an idle peer so often, and gives it
//                            up after three questions; 0: never
//   spin_us              0   0-1000000  how long the receiving thread polls before
//                            it sleeps. Takes a processor for that long after each
//                            frame; while frames keep coming, all of it
//
// kInvalidArgument: an option is unknown, of the wrong type or out of range, or
// as NewStreamTransport says.
//
// Opens nothing and starts no thread before Start, so a process may fork in
// between. Start returns kResourceExhausted if the process lacks threads or
// descriptors: 24, and 3 for each peer.
absl::StatusOr<std::unique_ptr<Transport>> NewTcpTransport(
    const TransportConfig& config);

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_TCP_TCP_TRANSPORT_H_
