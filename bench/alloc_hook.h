// AllocationsSoFar: how many blocks of memory this process has allocated, and
// which code allocated them.
//
// Linking alloc_hook.cc replaces malloc, calloc, realloc and aligned allocation
// of the C library by counting ones. So it counts operator new too, in our code
// and in the libraries. For benchmark binaries only; it counts blocks, not
// bytes.
//
// The return address shows the caller: an allocation belongs to libzmq or
// libnng if the call is in that shared object's code. Both allocate for each
// message, which no caller can avoid. Allocations that they make through
// operator new or the C library count as `own`. Neither happens per message:
// the raw cases have an `own` count of zero.
//
// Thread-safe. Each thread usually has a counter of its own, so counting hardly
// affects a measurement. Under a sanitizer it counts nothing
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
  std::uint64_t own = 0;  // not by the messaging library's code
};

bool AllocationsCounted();
// The first call finds the code of the messaging libraries. Until then all
// allocations count as `own`.
AllocationCount AllocationsSoFar();

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_ALLOC_HOOK_H_
