// ForkGeneration: tells a process from those that it forked, without a system
// call.
//
// fork copies one thread. Sockets are then shared, and locks of other threads
// may be held for ever. So an object with threads or sockets remembers the
// generation in which it got them, and does nothing in another one. A child has
// one more than its parent had.
//
// Thread-safe; a relaxed load. It does not notice raw clone and _Fork, which
// run no handlers of pthread_atfork, nor vfork, whose child may only exec.
//
//   const std::uint64_t started_in = ForkGeneration();
//   ...
//   if (ForkGeneration() != started_in) return InAnotherProcess();

#ifndef CLUSTER_BASE_FORK_GENERATION_H_
#define CLUSTER_BASE_FORK_GENERATION_H_

#include <atomic>
#include <cstdint>

namespace cluster::internal {

namespace fork_internal {
extern std::atomic<std::uint64_t> generation;
}  // namespace fork_internal

// 1 or more.
inline std::uint64_t ForkGeneration() {
  return fork_internal::generation.load(std::memory_order_relaxed);
}

// The one T of this process. A child of fork makes its own: the parent's may
// have been locked, or half changed, when it was copied. Never destroyed.
template <typename T>
T& OfThisProcess() {
  struct Made {
    const std::uint64_t generation = ForkGeneration();
    T value;
    Made* before = nullptr;  // keeps the parent's reachable
  };
  static std::atomic<Made*> latest{nullptr};
  Made* known = latest.load(std::memory_order_acquire);
  while (known == nullptr || known->generation != ForkGeneration()) {
    Made* const fresh = new Made;
    fresh->before = known;
    if (latest.compare_exchange_strong(known, fresh)) return fresh->value;
    delete fresh;
  }
  return known->value;
}

}  // namespace cluster::internal

#endif  // CLUSTER_BASE_FORK_GENERATION_H_
