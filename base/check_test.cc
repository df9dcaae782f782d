// The end of a process where no caller could learn of a failure.

#include "cluster/base/check.h"

#include <new>
#include <stdexcept>
#include <thread>

#include "cluster/base/start_thread.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

TEST(OrEndProcess, AnswersWhatTheStepDoes) {
  EXPECT_EQ(OrEndProcess("here", [] { return 7; }), 7);
}

TEST(OrEndProcessDeathTest, SaysWhereMemoryEnded) {
  EXPECT_DEATH(OrEndProcess("a test", [] { throw std::bad_alloc(); }),
               "cluster: out of memory in a test, ends the process");
}

TEST(OrEndProcessDeathTest, OtherExceptionsEndTheProcessToo) {
  EXPECT_DEATH(
      OrEndProcess("a test", [] { throw std::runtime_error("strange"); }),
      "strange");
}

TEST(OrEndProcessDeathTest, AThreadOfTheLibraryIsABoundary) {
  EXPECT_DEATH(
      {
        std::thread thread;
        StartThread(
            "cluster-test", [] { throw std::bad_alloc(); }, &thread)
            .IgnoreError();
        thread.join();
      },
      "out of memory in cluster-test");
}

}  // namespace
}  // namespace cluster::internal
