// The ZeroMQ backend of the transport.
//
// One PULL socket is bound, and one PUSH socket per peer dials. One frame is
// one message of one part, or of two where a small slice precedes a large one
// (8 KiB or more). So programs in any language with a ZeroMQ binding can take
// part: they join the parts that they receive, and send one or two. With
// security, CURVE encrypts each connection and proves both ends
// (docs/security.md).
//
// Options (the object "zmq" of the config file):
//   io_threads        1     1-16          ZeroMQ's own threads
//   send_hwm          1000  1-1000000     frames queued per peer
//   receive_hwm       64    1-1000000     frames queued per inbound connection
//   tcp_buffer_bytes  0     0-1073741824  kernel buffers; 0: the system decides
//   source_address    ""                  the own number to dial from
//   tcp_user_timeout_ms  0  0-1073741824  TCP gives up unacknowledged bytes; 0:
//                                         the system decides
//   keepalive_seconds 15    0-32767       TCP asks an idle peer so often, and
//                                         gives it up after 3 times; 0: never
//   share_context     false               one set of ZeroMQ's threads for all
//                                         servers of the process that say so:
//                                         for dozens of them; not with security
//
// With share_context, ZeroMQ writes a stopped server's frames in the background
// while others of those servers run. Stop of the last one waits for all of
// them, for its own linger and a little. Its destructor waits for at most 5 s
// more.
//
// Send hands the frame to the socket on the caller's thread. Names are looked up
// by the library's resolver (resolver/resolver.h), never by ZeroMQ. Start waits
// for its local name's number, and keeps it. ZeroMQ aborts the
// process if it lacks a thread of its own. docs/guarantees.md and
// docs/security.md say what ZeroMQ does not bound, docs/using.md how many
// descriptors it needs.
//
//   auto transport = cluster::NewZmqTransport(config);
//   if (!transport.ok()) return transport.status();

#ifndef CLUSTER_TRANSPORT_ZMQ_ZMQ_TRANSPORT_H_
#define CLUSTER_TRANSPORT_ZMQ_ZMQ_TRANSPORT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "cluster/transport/transport.h"

namespace cluster {

// kInvalidArgument: an option is unknown or out of range, or a key file holds
// no key; kNotFound, kPermissionDenied: a key file (key_files.h). Opens nothing
// and starts no thread before Start, so a process may fork in between.
absl::StatusOr<std::unique_ptr<Transport>> NewZmqTransport(
    const TransportConfig& config);

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_ZMQ_ZMQ_TRANSPORT_H_
