// AllocationsSoFar: how many blocks of memory this process has asked for.
//
// What it is: a count of malloc, calloc, realloc and aligned allocations, and
// so of operator new, in our code and in the libraries alike; linking
// alloc_hook.cc replaces the C library's functions by counting ones. For
// benchmark binaries only. What it is not: a profiler, or a count of bytes.
//
// Threads: safe; each thread counts in a place of its own as a rule, so that
// counting does not slow down what is measured. Ownership: none. Errors: under
// a sanitizer nothing is counted (AllocationsCounted).
//
//   const std::uint64_t before = AllocationsSoFar();
//   Work();
//   Report(AllocationsSoFar() - before);

#ifndef BENCH_ALLOC_HOOK_H_
#define BENCH_ALLOC_HOOK_H_

#include <cstdint>

namespace cluster {
namespace bench {

bool AllocationsCounted();
std::uint64_t AllocationsSoFar();

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_ALLOC_HOOK_H_
