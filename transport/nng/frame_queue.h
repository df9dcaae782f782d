// FrameQueue: frames that wait, first in first out, with the sum of their
// bytes.
//
// What it is: a ring that grows and is reused, so that a steady flow allocates
// nothing. What it is not: bounded or thread-safe; its owner sees to both.
//
// Threads: one at a time. Ownership: it holds shares of the frames' slices.
// Errors: taking from an empty queue aborts.
//
//   FrameQueue queue;
//   queue.PushBack(frame);
//   Frame first = queue.PopFront();

#ifndef TRANSPORT_NNG_FRAME_QUEUE_H_
#define TRANSPORT_NNG_FRAME_QUEUE_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "transport/check.h"
#include "transport/frame.h"

namespace cluster {
namespace nng {

class FrameQueue {
 public:
  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  std::size_t bytes() const { return bytes_; }

  const Frame& front() const {
    CLUSTER_CHECK(count_ > 0, "the queue is empty");
    return ring_[first_];
  }

  void PushBack(Frame frame) {
    Grow();
    bytes_ += frame.size();
    ring_[Place(count_)] = std::move(frame);
    ++count_;
  }

  // For what was taken and not sent after all.
  void PushFront(Frame frame) {
    Grow();
    bytes_ += frame.size();
    first_ = Place(ring_.size() - 1);
    ring_[first_] = std::move(frame);
    ++count_;
  }

  Frame PopFront() {
    CLUSTER_CHECK(count_ > 0, "the queue is empty");
    Frame frame = std::move(ring_[first_]);
    ring_[first_].slices.clear();
    bytes_ -= frame.size();
    first_ = Place(1);
    --count_;
    return frame;
  }

 private:
  std::size_t Place(std::size_t index) const {
    return (first_ + index) & (ring_.size() - 1);
  }

  void Grow() {
    if (count_ < ring_.size()) return;
    std::vector<Frame> larger(ring_.empty() ? 8 : 2 * ring_.size());
    for (std::size_t i = 0; i < count_; ++i) {
      larger[i] = std::move(ring_[Place(i)]);
    }
    ring_ = std::move(larger);
    first_ = 0;
  }

  std::vector<Frame> ring_;  // its size is zero or a power of two
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_FRAME_QUEUE_H_
