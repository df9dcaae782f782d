// That allocations fail when they should, and only those.

#include "cluster/base/testing/failing_allocations.h"

#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "cluster/base/buffer_pool.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

// How many of `tries` allocations fail.
std::string Tried(int nth, FailingAllocations::Which which, int tries) {
  std::string outcome(static_cast<std::size_t>(tries), '.');
  const FailingAllocations failing(nth, which);
  for (char& tried : outcome) {
    void* const memory = ::operator new(100, std::nothrow);
    if (memory == nullptr) tried = 'x';
    ::operator delete(memory);
  }
  return outcome;
}

TEST(FailingAllocationsTest, FailTheNth) {
  EXPECT_EQ(Tried(1, FailingAllocations::kOne, 4), "x...");
  EXPECT_EQ(Tried(3, FailingAllocations::kOne, 4), "..x.");
  EXPECT_EQ(Tried(3, FailingAllocations::kRest, 4), "..xx");
  EXPECT_EQ(Tried(5, FailingAllocations::kRest, 4), "....");
}

TEST(FailingAllocationsTest, EndWithTheObject) {
  Tried(5, FailingAllocations::kRest, 4);
  EXPECT_NE(std::make_unique<int>(1), nullptr);
}

TEST(FailingAllocationsTest, AreOfOneThread) {
  std::thread other;
  bool failed = false;
  std::unique_ptr<int> made;
  {
    const auto make = [&made] { made = std::make_unique<int>(1); };
    FailingAllocations failing(2,
                               FailingAllocations::kOne);  // after std::thread
    other = std::thread(make);
    other.join();
    failed = failing.failed();
  }
  EXPECT_NE(made, nullptr);
  EXPECT_FALSE(failed);
}

TEST(FailingAllocationsTest, ReachTheBufferPool) {
  const auto pool = std::make_shared<BufferPool>();
  for (std::size_t bytes : {100u, 1u << 20}) {
#if defined(__SANITIZE_THREAD__)
    if (bytes > 100) continue;
#endif
    bool thrown = false;
    {
      const FailingAllocations failing(1, FailingAllocations::kOne);
      try {
        pool->Lend(bytes);
      } catch (const std::bad_alloc&) {
        thrown = true;
      }
    }
    EXPECT_TRUE(thrown) << bytes;
  }
}

}  // namespace
}  // namespace cluster::internal
