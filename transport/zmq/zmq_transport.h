// The ZeroMQ backend of the transport.
//
// One PULL socket is bound, and one PUSH socket per peer dials, all in one
// ZeroMQ context (context.h). One frame is one message of one part, or of two
// where a small slice precedes a large one (8 KiB or more). So programs in any
// language with a ZeroMQ binding can take part. They join the parts that they
// receive, and send one or two.
//
// With security, CURVE encrypts each connection, and a dialler knows the key of
// its peer. A ZAP handler finds the server with the dialler's key (zap.h),
// which becomes `ReceivedFrame::identity`. Without security frames have no
// identity.
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
// With share_context, a stopped server's frames are written in the background
// while others of those servers run. Stop of the last one waits until all is
// written, but only for its own linger and a little. Its destructor waits for
// the rest, for at most 5 s.
//
// Threads: two that receive, of which one is awake; one for the news of
// connections; with security one for ZAP; and io_threads of ZeroMQ's. Send
// hands the frame to the socket on the caller's thread.
//
// Limits:
// - A malformed frame is dropped, but its connection stays: ZeroMQ cannot close
//   it from outside. The same holds for frames of a revoked peer.
// - Host names are resolved on an I/O thread at each dial. Where name service
//   may hang, prefer numeric addresses or more I/O threads. "localhost" is
//   127.0.0.1. Start waits until its local name is resolved, and keeps that
//   number.
// - A reload with another own key closes all connections that others dialled;
//   they dial again.
// - Garbage that ZeroMQ takes for its oldest protocol is closed without an
//   OnRejected.
//
// ZeroMQ does not bound:
// - half-open connections, except by the process's descriptors;
// - the parts of a message, which it holds until the last one; receive_hwm
//   counts only whole messages. So an accepted peer may take any amount of
//   memory with a message that does not end;
// - a handshake command of up to frame_bytes_max, before a connection has
//   proved anything, for at most handshake_timeout.
//
// Start and Connect answer kResourceExhausted if the process may not open
// enough descriptors. They want 30, 2 for each of io_threads, and 5 for each
// peer: three of ZeroMQ's sockets, and a connection each way. Strangers may
// take them all the same. Without a free descriptor, a TCP listener retries to
// accept without a pause, at the price of up to a core. Existing connections go
// on; handshake_timeout frees the descriptors of silent strangers. An ipc
// listener ends the process (libzmq 4.3.4 aborts). So keep RLIMIT_NOFILE well
// above the need, and the socket's folder private: its permissions alone decide
// who can connect.
//
// Start answers kResourceExhausted if the process can have no more threads or
// descriptors; but ZeroMQ aborts if it lacks one of its own.
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
