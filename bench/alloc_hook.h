// AllocationsSoFar: how many blocks of memory this process has asked for, and
// who asked.
//
// What it is: a count of malloc, calloc, realloc and aligned allocations, and
// so of operator new, in our code and in the libraries alike; linking
// alloc_hook.cc replaces the C library's functions by counting ones. For
// benchmark binaries only. What it is not: a profiler, or a count of bytes.
//
// Who asked is told by the return address: an allocation is libzmq's or
// libnng's if the call stands in the code of that shared object. Both allocate
// for each message that they are given, which no caller can avoid. Operator new
// calls malloc from libstdc++, so what libzmq creates by it counts as `own`,
// and so does what either has the C library allocate. Neither happens per
// message, as the raw cases show beside ours: their `own` count is zero.
//
// Threads: safe; each thread counts in a place of its own as a rule, so that
// counting does not slow down what is measured. Ownership: none. Errors: under
// a sanitizer nothing is counted (AllocationsCounted).
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
