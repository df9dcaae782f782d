#include "bench/alloc_hook.h"

#include <link.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define CLUSTER_BENCH_COUNTS_ALLOCATIONS 1
#endif

namespace cluster {
namespace bench {

#ifdef CLUSTER_BENCH_COUNTS_ALLOCATIONS
namespace {

// Threads beyond this many share a counter, which costs time but loses no
// count.
constexpr unsigned kCounters = 256;

struct alignas(64) Counter {
  std::atomic<std::uint64_t> own{0};
  std::atomic<std::uint64_t> libraries{0};
};

// Zero-initialised, so they work before any constructor has run.
Counter counters[kCounters];
std::atomic<unsigned> threads{0};
thread_local unsigned own_counter = 0;  // plus one; 0: none chosen yet

// The addresses of a shared object's code. Atomic, since other threads allocate
// while one thread looks for it.
struct CodeRange {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> bytes{0};

  bool Contains(const void* address) const {
    return reinterpret_cast<std::uintptr_t>(address) -
               begin.load(std::memory_order_relaxed) <
           bytes.load(std::memory_order_relaxed);
  }
};

constexpr std::array<const char*, 2> kLibraries = {"/libzmq.so", "/libnng.so"};
std::array<CodeRange, 2> library_code;

int FindCode(dl_phdr_info* object, std::size_t, void*) {
  for (std::size_t i = 0; i < kLibraries.size(); ++i) {
    if (std::strstr(object->dlpi_name, kLibraries[i]) == nullptr) continue;
    for (int j = 0; j < object->dlpi_phnum; ++j) {
      const ElfW(Phdr)& segment = object->dlpi_phdr[j];
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
      library_code[i].begin = object->dlpi_addr + segment.p_vaddr;
      library_code[i].bytes = segment.p_memsz;
    }
  }
  return 0;
}

void CountAllocation(const void* caller) {
  if (own_counter == 0) {
    own_counter =
        threads.fetch_add(1, std::memory_order_relaxed) % kCounters + 1;
  }
  Counter& counter = counters[own_counter - 1];
  const bool library =
      library_code[0].Contains(caller) || library_code[1].Contains(caller);
  (library ? counter.libraries : counter.own)
      .fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

bool AllocationsCounted() { return true; }

AllocationCount AllocationsSoFar() {
  static const int found = dl_iterate_phdr(FindCode, nullptr);
  static_cast<void>(found);
  AllocationCount count;
  for (const Counter& counter : counters) {
    count.own += counter.own.load(std::memory_order_relaxed);
    count.all += counter.libraries.load(std::memory_order_relaxed);
  }
  count.all += count.own;
  return count;
}

#else

bool AllocationsCounted() { return false; }
AllocationCount AllocationsSoFar() { return {}; }

#endif

}  // namespace bench
}  // namespace cluster

#ifdef CLUSTER_BENCH_COUNTS_ALLOCATIONS

// The C library's own functions, under the names that remain when a program
// replaces the public ones. `free` needs no replacement.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* old, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
}
// NOLINTEND(bugprone-reserved-identifier)

namespace {

// `caller` is the caller of the replaced function, which alone can see it.
void* Memalign(std::size_t alignment, std::size_t bytes, const void* caller) {
  cluster::bench::CountAllocation(caller);
  return __libc_memalign(alignment, bytes);
}

}  // namespace

extern "C" {

void* malloc(std::size_t bytes) {
  cluster::bench::CountAllocation(__builtin_return_address(0));
  return __libc_malloc(bytes);
}

void* calloc(std::size_t count, std::size_t bytes) {
  cluster::bench::CountAllocation(__builtin_return_address(0));
  return __libc_calloc(count, bytes);
}

void* realloc(void* old, std::size_t bytes) {
  cluster::bench::CountAllocation(__builtin_return_address(0));
  return __libc_realloc(old, bytes);
}

void* memalign(std::size_t alignment, std::size_t bytes) {
  return Memalign(alignment, bytes, __builtin_return_address(0));
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return Memalign(alignment, bytes, __builtin_return_address(0));
}

int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) {
  void* const memory = Memalign(alignment, bytes, __builtin_return_address(0));
  if (memory == nullptr) return ENOMEM;
  *out = memory;
  return 0;
}

}  // extern "C"

#endif
