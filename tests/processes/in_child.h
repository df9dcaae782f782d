// Runs part of a test in a child process, which may change its limits or its
// network.
//
// Call it while the test has no other threads. A child that ends badly fails
// the calling test.
//
//   EXPECT_EQ(InChild([] { return Lower() ? Serve() : "forbidden"; }), "OK");

#ifndef TESTS_PROCESSES_IN_CHILD_H_
#define TESTS_PROCESSES_IN_CHILD_H_

#include <functional>
#include <string>

namespace cluster::internal {

// The answer of `run` in the child; incomplete if the child ends early.
std::string InChild(const std::function<std::string()>& run);

}  // namespace cluster::internal

#endif  // TESTS_PROCESSES_IN_CHILD_H_
