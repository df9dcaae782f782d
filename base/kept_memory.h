// KeepFreedMemory: lets glibc's malloc keep what is freed for the next burst.
//
// What it is for: glibc gives the end of its heap back to the system as soon as
// 128 KiB of it are free, until a large block was freed for the first time, and
// then keeps up to twice the block's size (mallopt(3), M_MMAP_THRESHOLD).
// Blocks of 64 KiB that come and go took fresh pages each time before that, at
// twice the price. What it is not: a setting; where the program made its own,
// with mallopt or MALLOC_TRIM_THRESHOLD_, this does nothing.
//
// Threads: any; it is the process's. Errors: none.
//
//   KeepFreedMemory(4 << 20);

#ifndef CLUSTER_BASE_KEPT_MEMORY_H_
#define CLUSTER_BASE_KEPT_MEMORY_H_

#include <cstddef>
#include <cstdlib>

namespace cluster {

// Up to twice `bytes`, at most 32 MiB, in each of malloc's arenas.
inline void KeepFreedMemory(std::size_t bytes) {
  // Volatile, or the compiler would see that nothing is done with it.
  void* volatile block = std::malloc(bytes);
  std::free(block);
}

}  // namespace cluster

#endif  // CLUSTER_BASE_KEPT_MEMORY_H_
