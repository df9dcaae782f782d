// Frames as ZeroMQ messages: one frame, one message, of one part, or of two
// where that saves copying the second.
//
// What it is: the hand-over of a frame to a PUSH socket, without a copy where
// that pays. What it is not: thread-safe: the socket is the caller's.
//
// Errors: a full queue is false. Where memory for a message ends,
// std::bad_alloc, and nothing was taken; what libzmq then needs for its queues it
// aborts for itself.
//
//   if (!SendFrame(&push, frame, frame.size(), buffers)) ...   // no room

#ifndef CLUSTER_TRANSPORT_ZMQ_OUTBOUND_MESSAGE_H_
#define CLUSTER_TRANSPORT_ZMQ_OUTBOUND_MESSAGE_H_

#include <cstddef>
#include <memory>

#include "cluster/base/buffer_pool.h"
#include "cluster/transport/frame.h"
#include "zmq.hpp"

namespace cluster {
namespace zmq_backend {

// A slice of at least this many bytes is sent from where it lies, if it is all
// of the frame, or all behind one smaller slice; the two allocations and the
// release on another thread that this costs are dearer than copying less.
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
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_ZMQ_OUTBOUND_MESSAGE_H_
