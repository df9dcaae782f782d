#include "bench/alloc_hook.h"

#include <atomic>
#include <cerrno>
#include <cstddef>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define CLUSTER_BENCH_COUNTS_ALLOCATIONS 1
#endif

namespace cluster {
namespace bench {
namespace {

#ifdef CLUSTER_BENCH_COUNTS_ALLOCATIONS

// Plenty: threads beyond this many share a counter, which costs time and never
// a count.
constexpr unsigned kCounters = 256;

struct alignas(64) Counter {
  std::atomic<std::uint64_t> allocations{0};
};

// Zero-initialised, so that they work before any constructor has run.
Counter counters[kCounters];
std::atomic<unsigned> threads{0};
thread_local unsigned own_counter = 0;  // plus one; 0: none chosen yet

void CountAllocation() {
  if (own_counter == 0) {
    own_counter =
        threads.fetch_add(1, std::memory_order_relaxed) % kCounters + 1;
  }
  counters[own_counter - 1].allocations.fetch_add(1, std::memory_order_relaxed);
}

#endif

}  // namespace

#ifdef CLUSTER_BENCH_COUNTS_ALLOCATIONS

bool AllocationsCounted() { return true; }

std::uint64_t AllocationsSoFar() {
  std::uint64_t total = 0;
  for (const Counter& counter : counters) {
    total += counter.allocations.load(std::memory_order_relaxed);
  }
  return total;
}

#else

bool AllocationsCounted() { return false; }
std::uint64_t AllocationsSoFar() { return 0; }

#endif

}  // namespace bench
}  // namespace cluster

#ifdef CLUSTER_BENCH_COUNTS_ALLOCATIONS

// The C library's own functions, under the names that it keeps for whoever
// replaces the public ones. `free` needs no replacement.
extern "C" {

void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* old, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
  cluster::bench::CountAllocation();
  return __libc_malloc(bytes);
}

void* calloc(std::size_t count, std::size_t bytes) {
  cluster::bench::CountAllocation();
  return __libc_calloc(count, bytes);
}

void* realloc(void* old, std::size_t bytes) {
  cluster::bench::CountAllocation();
  return __libc_realloc(old, bytes);
}

void* memalign(std::size_t alignment, std::size_t bytes) {
  cluster::bench::CountAllocation();
  return __libc_memalign(alignment, bytes);
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return memalign(alignment, bytes);
}

int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) {
  void* const memory = memalign(alignment, bytes);
  if (memory == nullptr) return ENOMEM;
  *out = memory;
  return 0;
}

}  // extern "C"

#endif
