// AllocationsSoFar: how many blocks of memory this process has asked for, and
// who asked.
//
// What it is: a count of malloc, calloc, realloc, aligned allocations and
// operator new, in our code and in the libraries alike; linking alloc_hook.cc
// replaces the C and C++ libraries' functions by counting ones. For benchmark
// binaries only. What it is not: a profiler, or a count of bytes.
//
// Who asked is told by the return address: an allocation is libzmq's or
// libnng's own if the call stands in the code of that shared object. Both
// allocate for each message that they are given, which no caller can avoid.
// Every form of operator new is replaced too, so that its caller is seen and
// not libstdc++, to which it would otherwise belong. What libzmq or nng has the
// C library allocate, or a std::string's growth inside libstdc++, still counts
// as `own`; neither happens per message.
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
