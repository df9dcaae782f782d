// The nng backend: length-prefixed frames (transport/stream/preamble.h) over
// nng's byte streams, tcp and ipc; with security, in mutual TLS 1.3.
//
// nng's sockets (pair, push and so on) are not used. In version 1.5.2 one peer
// that connects and resets stops their listeners for good, and they do not
// report lost messages. Callbacks come on nng's threads and the transport's
// own. Sending on an idle connection does the system call itself. The
// destructor waits, for at most 5 s, until nng has closed the transport's
// descriptors.

#ifndef CLUSTER_TRANSPORT_NNG_NNG_TRANSPORT_H_
#define CLUSTER_TRANSPORT_NNG_NNG_TRANSPORT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "cluster/transport/transport.h"

namespace cluster {

// Options ("nng": {...}):
//   send_queue_bytes   bound of the queue to one peer, beside the write that is
//                      under way; 4 KiB-1 GiB, default 1 MiB. An empty queue
//                      takes any single frame.
//   read_buffer_bytes  the largest buffer of a connection; 8 KiB-16 MiB,
//                      default 256 KiB. Quiet connections hold 1 KiB.
//   source_address     the own number to dial from; "": the system chooses
//   keepalive          whether TCP asks idle peers, at the system's intervals;
//                      default true
//
// kInvalidArgument: an option is unknown, of the wrong type or out of range, or
// frame_bytes_max is over kFrameBytesLimit. Also if TLS does not take a key
// file, or the file is wrong for this server (tls_material.h). kNotFound,
// kPermissionDenied: a key file (key_files.h).
//
// Opens nothing and starts no thread before Start, so a process may fork in
// between. Start returns kFailedPrecondition if the parent process had started
// one before it forked. It returns kResourceExhausted if the process lacks
// threads or descriptors: 24, and 3 for each peer.
absl::StatusOr<std::unique_ptr<Transport>> NewNngTransport(
    const TransportConfig& config);

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_NNG_NNG_TRANSPORT_H_
