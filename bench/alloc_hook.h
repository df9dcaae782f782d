// AllocationsSoFar: how many blocks of memory this process has allocated, and
// which code allocated them.
//
// Linking alloc_hook.cc replaces malloc, calloc, realloc and aligned allocation
// of the C library by counting ones. So it counts operator new too, in our code
// and in the libraries. For benchmark binaries only; it counts blocks, not
// bytes.
//
// The return address tells the caller: an allocation belongs to libzmq or
// libnng if the call is in that shared object's code. Both allocate for each
// message, which no caller can avoid. Operator new calls malloc from libstdc++,
// so what libzmq creates by it counts as `own`. So does what either makes the C
// library allocate. Neither happens per message: the raw cases have an `own`
// count of zero.
//
// Thread-safe. Each thread usually has a counter of its own, so counting does
// not slow down what is measured. Under a sanitizer nothing is counted
// (AllocationsCounted).
//
//   const AllocationCount before = AllocationsSoFar();
//   Work();
//   Report(AllocationsSoFar().all - before.all);

#ifndef BENCH_ALLOC_HOOK_H_
#define BENCH_ALLOC_HOOK_H_

#include <cstdint>

namespace cluster {
namespace bench {

struct AllocationCount {
  std::uint64_t all = 0;
  std::uint64_t own = 0;  // not asked for by the messaging library's code
};

bool AllocationsCounted();
// The first call finds out where the messaging libraries are: until then all
// allocations are taken for `own`.
AllocationCount AllocationsSoFar();

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_ALLOC_HOOK_H_
