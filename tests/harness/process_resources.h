// ProcessResources: the open descriptors, threads and resident memory of this
// process, to detect leaks.
//
// The figures come from /proc; without it they abort. Memory is inexact: the
// address sanitizer finds its leaks.
//
//   const ProcessResources before = CountResources();
//   ... make and destroy servers ...
//   EXPECT_TRUE(WaitForResources(before)) << CountResources();

#ifndef TESTS_HARNESS_PROCESS_RESOURCES_H_
#define TESTS_HARNESS_PROCESS_RESOURCES_H_

#include <cstddef>
#include <ostream>

namespace cluster::internal {

struct ProcessResources {
  std::size_t descriptors = 0;
  std::size_t threads = 0;
};

ProcessResources CountResources();
std::size_t ResidentBytes();
std::ostream& operator<<(std::ostream& out, const ProcessResources& resources);

// Waits until the process holds no more than `most`; false after half a minute.
// The kernel may list a thread for a moment after it was joined.
bool WaitForResources(const ProcessResources& most);

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_PROCESS_RESOURCES_H_
