#include "bench/alloc_hook.h"

#include <nng/nng.h>
#include <zmq.h>

#include <cstdlib>

#include "gtest/gtest.h"

namespace cluster {
namespace bench {
namespace {

constexpr int kTimes = 1000;
constexpr std::size_t kBytes = 1000;

// The allocations of kTimes calls of `allocate`. Volatile pointers below keep
// the compiler from removing unused allocations.
template <typename Allocate>
AllocationCount CountOf(Allocate allocate) {
  const AllocationCount before = AllocationsSoFar();
  for (int i = 0; i < kTimes; ++i) allocate();
  const AllocationCount after = AllocationsSoFar();
  return {after.all - before.all, after.own - before.own};
}

std::uint64_t Times() { return AllocationsCounted() ? kTimes : 0; }

TEST(AllocHookTest, MallocIsOurOwn) {
  const AllocationCount count = CountOf([] {
    void* volatile memory = std::malloc(kBytes);
    std::free(memory);
  });
  EXPECT_EQ(count.all, Times());
  EXPECT_EQ(count.own, Times());
}

TEST(AllocHookTest, NewIsOurOwn) {
  const AllocationCount count = CountOf([] {
    char* volatile memory = new char[kBytes];
    delete[] memory;
  });
  EXPECT_EQ(count.all, Times());
  EXPECT_EQ(count.own, Times());
}

TEST(AllocHookTest, AMessageOfZmqIsNot) {
  const AllocationCount count = CountOf([] {
    zmq_msg_t message;
    ASSERT_EQ(zmq_msg_init_size(&message, kBytes), 0);
    zmq_msg_close(&message);
  });
  EXPECT_GE(count.all, Times());
  EXPECT_EQ(count.own, 0u);
}

TEST(AllocHookTest, AMessageOfNngIsNot) {
  nng_msg* first = nullptr;  // nng starts its threads
  ASSERT_EQ(nng_msg_alloc(&first, kBytes), 0);
  nng_msg_free(first);
  const AllocationCount count = CountOf([] {
    nng_msg* message = nullptr;
    ASSERT_EQ(nng_msg_alloc(&message, kBytes), 0);
    nng_msg_free(message);
  });
  EXPECT_GE(count.all, Times());
  EXPECT_EQ(count.own, 0u);
}

}  // namespace
}  // namespace bench
}  // namespace cluster
