// KeepFreedMemory: lets glibc's malloc keep freed memory for the next burst.
//
// glibc returns the end of its heap to the system as soon as 128 KiB of it are
// free. Freeing one large block raises that to twice the block's size
// (mallopt(3), M_MMAP_THRESHOLD). Without it, blocks of 64 KiB that come and go
// cost twice as much, since each takes fresh pages. Does nothing if the program
// set its own limits by mallopt or MALLOC_TRIM_THRESHOLD_. Thread-safe; it acts
// on the process.
//
//   KeepFreedMemory(4 << 20);

#ifndef CLUSTER_BASE_KEPT_MEMORY_H_
#define CLUSTER_BASE_KEPT_MEMORY_H_

#include <cstddef>
#include <cstdlib>

namespace cluster::internal {

// Up to twice `bytes`, at most 32 MiB, in each of malloc's arenas.
inline void KeepFreedMemory(std::size_t bytes) {
  // Volatile, or the compiler would see that nothing is done with it.
  void* volatile block = std::malloc(bytes);
  std::free(block);
}

}  // namespace cluster::internal

#endif  // CLUSTER_BASE_KEPT_MEMORY_H_
