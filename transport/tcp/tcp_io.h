// Streams, listeners and operations on the system's sockets (transport/stream/
// io.h), by means of Asio. Nothing else includes Asio.
//
// The thread that has the turn (receive_threads.h) waits for events, and calls
// back. Starting an operation takes no memory, so Send can start one.

#ifndef CLUSTER_TRANSPORT_TCP_TCP_IO_H_
#define CLUSTER_TRANSPORT_TCP_TCP_IO_H_

#include <memory>

#include "cluster/transport/stream/io.h"
#include "cluster/transport/tcp/sockets.h"

namespace cluster::internal {
namespace tcp {

std::unique_ptr<stream::Io> NewTcpIo(const TcpSettings& settings);

}  // namespace tcp
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_TCP_TCP_IO_H_
