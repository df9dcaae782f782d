// Ring: a queue that reuses its memory, so that a steady flow through it
// allocates nothing. (std::deque allocates every few elements.)
//
// A circle that doubles when it is full. Once empty, it frees a circle larger
// than kKeptMax. It has no bound and no iterators.
//
// One thread at a time. Taking from an empty ring aborts. Only Reserve and a
// push into a full circle allocate; std::bad_alloc leaves the ring as it was.
//
//   Ring<Batch> batches;
//   batches.PushBack(std::move(batch));
//   Batch first = batches.PopFront();

#ifndef CLUSTER_BASE_RING_H_
#define CLUSTER_BASE_RING_H_

#include <cstddef>
#include <new>
#include <utility>
#include <vector>

#include "cluster/base/check.h"

namespace cluster::internal {

template <typename T>
class Ring {
 public:
  static constexpr std::size_t kKeptMax = 1024;

  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }

  // From the front, from 0.
  T& operator[](std::size_t index) { return slots_[Place(index)]; }
  const T& operator[](std::size_t index) const { return slots_[Place(index)]; }
  T& front() { return slots_[Place(Checked(0))]; }
  const T& front() const { return slots_[Place(Checked(0))]; }
  T& back() { return slots_[Place(Checked(count_ - 1))]; }
  const T& back() const { return slots_[Place(Checked(count_ - 1))]; }

  // The next `elements` pushes allocate nothing, if nothing else is pushed.
  void Reserve(std::size_t elements) {
    while (slots_.size() - count_ < elements) Grow();
  }

  void PushBack(T&& element) {
    if (count_ == slots_.size()) Grow();
    slots_[Place(count_)] = std::move(element);
    ++count_;
  }
  void PushBack(const T& element) { PushBack(T(element)); }

  void PushFront(T element) {
    if (count_ == slots_.size()) Grow();
    first_ = Place(slots_.size() - 1);
    slots_[first_] = std::move(element);
    ++count_;
  }

  T PopFront() {
    T element = std::move(front());
    DropFront();
    return element;
  }
  void DropFront() {
    // Lets go of what it holds, or a move may have left. In place: to move a
    // new one there would cost several times as much.
    T& element = front();
    element.~T();
    new (&element) T();
    first_ = Place(1);
    if (--count_ == 0 && slots_.size() > kKeptMax) Clear();
  }

  void Clear() { *this = Ring(); }

 private:
  std::size_t Place(std::size_t index) const {
    return (first_ + index) & (slots_.size() - 1);
  }
  std::size_t Checked(std::size_t index) const {
    CLUSTER_CHECK(count_ > 0, "the ring is empty");
    return index;
  }

  void Grow() {
    std::vector<T> larger(slots_.empty() ? 4 : 2 * slots_.size());
    for (std::size_t i = 0; i < count_; ++i) {
      larger[i] = std::move(slots_[Place(i)]);
    }
    slots_ = std::move(larger);
    first_ = 0;
  }

  std::vector<T> slots_;  // its size is zero or a power of two
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace cluster::internal

#endif  // CLUSTER_BASE_RING_H_
