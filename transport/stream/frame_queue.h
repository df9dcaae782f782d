// FrameQueue: frames that wait, first in first out, with the sum of their bytes.
// A steady flow allocates nothing. Its owner bounds it.
//
// Threads: one at a time. Ownership: it holds shares of the frames' slices.
// Errors: taking from an empty queue aborts.
//
//   FrameQueue queue;
//   queue.PushBack(frame);
//   Frame first = queue.PopFront();

#ifndef CLUSTER_TRANSPORT_STREAM_FRAME_QUEUE_H_
#define CLUSTER_TRANSPORT_STREAM_FRAME_QUEUE_H_

#include <cstddef>
#include <utility>

#include "cluster/base/ring.h"
#include "cluster/transport/frame.h"

namespace cluster {
namespace stream {

class FrameQueue {
 public:
  bool empty() const { return ring_.empty(); }
  std::size_t size() const { return ring_.size(); }
  std::size_t bytes() const { return bytes_; }

  const Frame& front() const { return ring_.front(); }

  void PushBack(Frame frame) {
    const std::size_t bytes = frame.size();
    ring_.PushBack(std::move(frame));
    bytes_ += bytes;
  }

  // For what was taken and not sent after all.
  void PushFront(Frame frame) {
    const std::size_t bytes = frame.size();
    ring_.PushFront(std::move(frame));
    bytes_ += bytes;
  }

  Frame PopFront() {
    Frame frame = ring_.PopFront();
    bytes_ -= frame.size();
    return frame;
  }

 private:
  Ring<Frame> ring_;
  std::size_t bytes_ = 0;
};

}  // namespace stream
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_STREAM_FRAME_QUEUE_H_
