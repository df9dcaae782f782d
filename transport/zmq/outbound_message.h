// Sends a frame as one ZeroMQ message, without a copy where that pays.
//
// The message has one part, or two where that saves copying the second. The
// socket is the caller's, and one thread's at a time. False means a full queue.
// std::bad_alloc: nothing was taken. libzmq aborts if it has no memory for its
// own queues.
//
//   if (!SendFrame(&push, frame, frame.size(), buffers)) ...   // no room

#ifndef CLUSTER_TRANSPORT_ZMQ_OUTBOUND_MESSAGE_H_
#define CLUSTER_TRANSPORT_ZMQ_OUTBOUND_MESSAGE_H_

#include <cstddef>
#include <memory>

#include "cluster/base/buffer_pool.h"
#include "cluster/transport/frame.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace zmq_backend {

// A slice of at least this many bytes is sent uncopied, if it is the whole
// frame, or all of it behind one smaller slice. That costs two allocations and
// a release on another thread, which is dearer than copying less.
inline constexpr std::size_t kUncopiedBytesMin = 8192;

// Queues `frame`, of `bytes` bytes. Does not block. False: there is no room,
// and nothing was taken. The last share in an uncopied slice may be dropped on
// an I/O thread.
bool SendFrame(zmq::socket_t* push, const Frame& frame, std::size_t bytes,
               const std::shared_ptr<BufferPool>& buffers);

// Whether a message would fit. Afterwards the socket's descriptor becomes
// readable when that may have changed.
bool HasRoom(zmq::socket_t* push);

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_OUTBOUND_MESSAGE_H_
