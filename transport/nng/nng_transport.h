// The nng backend: frames over nng's byte streams, tcp and ipc.
//
// What it is: length-prefixed frames (transport/stream/preamble.h) on nng_stream.
// nng's sockets (pair, push and so on) are not used: in version 1.5.2 one peer
// that connects and resets stops their listeners for good, and they say nothing
// of what was lost. With security, each connection is mutual TLS 1.3 on OpenSSL
// over these streams (transport/stream/tls_session.h), which says who the peer
// is: that is `ReceivedFrame::identity`. What it is not: reliable, or able to
// name the sender of a frame without security: then the identity is none.
//
// Options ("nng": {...}):
//   send_queue_bytes   what may wait for one peer beside the write that is
//                      under way; 4 KiB-1 GiB, default 1 MiB. A single frame
//                      is always taken when nothing waits.
//   read_buffer_bytes  the largest buffer of a connection; 8 KiB-16 MiB,
//                      default 256 KiB. Quiet connections hold 8 KiB.
//
// Threads: callbacks come on nng's threads, OnDrained sometimes on one of the
// transport's own, OnDisconnected sometimes on its caretaker's. A caller that
// sends on an idle connection does the system call itself; everybody else's
// frames leave in larger writes.
// Ownership and errors: as transport/transport.h says. OnDisconnected comes for
// each failed attempt; attempts follow each other after 20 ms to 1 s.
// The destructor waits, for at most 5 s, until nng has closed the descriptors
// that the transport had.
// Start: kResourceExhausted, where the process can have no more threads, or not
// the descriptors that it needs: 24, and 3 for each peer (the connection to it,
// and that from it with its successor).
//
// OnConnected comes when the listener has answered. An honest server waits its
// turn where strangers of its own address lay siege
// (transport/stream/handshake_budget.h).
//
//   auto transport = cluster::NewNngTransport(config);

#ifndef CLUSTER_TRANSPORT_NNG_NNG_TRANSPORT_H_
#define CLUSTER_TRANSPORT_NNG_NNG_TRANSPORT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "cluster/transport/transport.h"

namespace cluster {

// kInvalidArgument: an option that is unknown, of the wrong type or out of
// range; a frame_bytes_max over kFrameBytesLimit; a key file that TLS does not
// take, or that makes no sense for this server (tls_material.h). kNotFound,
// kPermissionDenied: a key file (key_files.h). Opens nothing and starts no thread
// before Start, so a process may fork in between. Start answers
// kFailedPrecondition where the parent of this process had started one before it
// forked.
absl::StatusOr<std::unique_ptr<Transport>> NewNngTransport(
    const TransportConfig& config);

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_NNG_NNG_TRANSPORT_H_
