// The memory transport: connects servers of one process without sockets, for
// tests, simulations and examples.
//
// An address is any text but "". It names a server within the process and
// `config.cluster`. One that ends in ":0" gets a number of its own when it is
// bound. A frame of one slice is handed over uncopied; others are joined by one
// copy. Nothing proves the sender of a frame.
//
// Options ("memory": {...}):
//   queue_bytes_max  4194304  64 Ki-1 Gi; bytes that wait for one peer, with 64
//                             for each frame, before Send is back-pressured
//
// Frames wait for a peer that does not listen yet. A peer that stops loses the
// frames that it did not get, and so does one whose handler refuses a frame.
//
//   auto transport = cluster::NewMemoryTransport(config);
//   CHECK((*transport)->Start(&handler, "server-1").ok());

#ifndef CLUSTER_TRANSPORT_MEMORY_MEMORY_TRANSPORT_H_
#define CLUSTER_TRANSPORT_MEMORY_MEMORY_TRANSPORT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "cluster/export.h"
#include "cluster/transport/transport.h"

namespace cluster {

CLUSTER_EXPORT absl::StatusOr<std::unique_ptr<Transport>> NewMemoryTransport(
    const TransportConfig& config);

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_MEMORY_MEMORY_TRANSPORT_H_
