// The ZeroMQ backend of the transport.
//
// What it is: one PULL socket that is bound, and one PUSH socket per peer that
// dials, all in one ZeroMQ context (context.h). One frame is one message, of
// one part, or of two where a small slice is followed by a large one (8 KiB or
// more). So a program in any language with a ZeroMQ binding can take part: it
// joins the parts of what it receives, and sends one part or two as it likes.
// With security, each connection is encrypted by CURVE, a dialler knows the key
// of the one that it means, and a ZAP handler says whose key it was that
// dialled (zap.h): that is `ReceivedFrame::identity`. What it is not: reliable,
// or able to name the sender of a frame without security: then the identity is
// none.
//
// Options (the object "zmq" of the config file):
//   io_threads        1     1-16          ZeroMQ's own threads
//   send_hwm          1000  1-1000000     frames queued per peer
//   receive_hwm       64    1-1000000     frames queued per inbound connection
//   tcp_buffer_bytes  0     0-1073741824  kernel buffers; 0: the system decides
//   share_context     false               one set of ZeroMQ's threads for all
//                                         servers of the process that say so:
//                                         for dozens of them; not with security
//
// With share_context, what Stop lingers for is written in the background while
// others of those servers run. Stop of the last one waits until all is written,
// but only for its own linger and a little; its destructor waits for what is
// left, for at most 5 s.
//
// Threads: as transport.h says; two receiving threads, of which one is awake,
// one for the news of connections, with security one for ZAP, and io_threads of
// ZeroMQ's. `Send` hands the frame to the socket on the caller's thread. Errors:
// as transport.h says.
//
// Limits: a connection whose frame is malformed cannot be closed from outside
// ZeroMQ, so such frames are only dropped. Host names are resolved on an I/O
// thread at each dial: where name service may hang, prefer numeric addresses or
// more than one I/O thread. "localhost" is 127.0.0.1. Start with a name as
// local address waits for its resolution, and stays with the number that it
// finds. A connection of a peer that was revoked cannot be closed either: its
// frames are dropped. A reload with another own key closes all connections that
// others dialled; they dial again. Garbage that ZeroMQ takes for its oldest
// protocol is closed without an OnRejected.
//
// What ZeroMQ does not bound: the number of half-open connections, but by the
// process's descriptors. The parts of a message: it is held until its last part
// has come, and receive_hwm counts it only then, so whoever is let in may take
// any amount of memory with a message that does not end. Before a connection
// has proved anything, one handshake command of up to frame_bytes_max is held
// while it arrives, for at most handshake_timeout.
//
// Start and Connect answer kResourceExhausted where the process may not open
// what is needed: 30 descriptors, 2 for each of io_threads, and 5 for each peer
// (three of ZeroMQ's sockets, and a connection each way). Strangers may take
// them all the same. While the process has no descriptors left, a listener on TCP tries to accept
// whoever waits without a pause: connections that are there go on, at the price
// of up to a core, until handshake_timeout frees the descriptors of strangers
// that say nothing. One on ipc ends the process (libzmq 4.3.4 aborts): keep
// RLIMIT_NOFILE well above what is used, and the socket's folder private, since
// the permissions of the folder and of the socket's file, which the umask
// decides, are all that says who can connect. Where the process can have no
// more threads or descriptors, Start answers kResourceExhausted; but ZeroMQ
// aborts if it is one of its own that it lacks.
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
