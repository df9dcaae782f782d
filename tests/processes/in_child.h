// Runs part of a test in a child of its process, which may then change what a
// process has but one of: its limits, its network.
//
// Fork while the test has no other threads. A child that does not end well is a
// failure of the calling test.
//
//   EXPECT_EQ(InChild([] { return Lower() ? Serve() : "forbidden"; }), "OK");

#ifndef TESTS_PROCESSES_IN_CHILD_H_
#define TESTS_PROCESSES_IN_CHILD_H_

#include <functional>
#include <string>

namespace cluster {

// What `run` answers in the child; as far as it came, if the child ends
// otherwise.
std::string InChild(const std::function<std::string()>& run);

}  // namespace cluster

#endif  // TESTS_PROCESSES_IN_CHILD_H_
