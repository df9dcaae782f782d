#include "cluster/base/buffer_pool.h"

#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

TEST(BufferPool, LendsTheSameMemoryAgain) {
  auto pool = std::make_shared<BufferPool>();
  std::shared_ptr<char> buffer = pool->Lend(65536);
  const char* const first = buffer.get();
  buffer.reset();
  EXPECT_GE(pool->free_bytes(), 65536u);
  EXPECT_EQ(pool->Lend(65536).get(), first);
}

TEST(BufferPool, EachSizeIsThereInFullAndAligned) {
  auto pool = std::make_shared<BufferPool>();
  for (std::size_t power = 1; power <= 1u << 22; power *= 2) {
    for (std::size_t bytes : {power - 1, power, power + 1, power + power / 2}) {
      const std::shared_ptr<char> buffer = pool->Lend(bytes);
      std::memset(buffer.get(), 1, bytes);  // a sanitizer sees to the end
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.get()) %
                    alignof(std::max_align_t),
                0u);
    }
  }
}

TEST(BufferPool, KeepsNoMoreThanItsBoundAndNotWhatIsNoLongerTaken) {
  auto pool = std::make_shared<BufferPool>();
  for (std::size_t bytes : {1000u, 100000u, 1000000u}) {
    std::vector<std::shared_ptr<char>> buffers;
    for (std::size_t lent = 0; lent < 2 * BufferPool::kFreeBytesMax;
         lent += bytes) {
      buffers.push_back(pool->Lend(bytes));
    }
    buffers.clear();
    EXPECT_LE(pool->free_bytes(), BufferPool::kFreeBytesMax);
    // The sizes before have made room for this one.
    const std::shared_ptr<char> buffer = pool->Lend(bytes);
    EXPECT_LE(pool->free_bytes(), BufferPool::kFreeBytesMax - bytes);
  }
}

TEST(BufferPool, TrimFreesWhatNobodyHasWanted) {
  auto pool = std::make_shared<BufferPool>();
  pool->Lend(1000).reset();
  const std::size_t one = pool->free_bytes();
  { const std::shared_ptr<char> two[] = {pool->Lend(1000), pool->Lend(1000)}; }
  pool->Trim();  // since the beginning there was a moment with nothing free
  EXPECT_EQ(pool->free_bytes() / one, 2u);
  pool->Lend(1000).reset();
  pool->Trim();
  EXPECT_EQ(pool->free_bytes() / one, 1u);
  pool->Trim();
  EXPECT_EQ(pool->free_bytes(), 0u);
}

TEST(BufferPool, AllocatesSharedObjects) {
  auto pool = std::make_shared<BufferPool>();
  auto text = std::allocate_shared<std::vector<int>>(
      pool->For<std::vector<int>>(), 3, 7);
  const void* const first = text.get();
  EXPECT_EQ(*text, (std::vector<int>{7, 7, 7}));
  text.reset();
  auto again =
      std::allocate_shared<std::vector<int>>(pool->For<std::vector<int>>());
  EXPECT_EQ(again.get(), first);
}

TEST(BufferPool, WhatIsLentKeepsThePool) {
  std::shared_ptr<char> buffer = std::make_shared<BufferPool>()->Lend(100);
  std::memset(buffer.get(), 1, 100);
  buffer.reset();  // a sanitizer sees that nothing leaks
}

TEST(BufferPool, BuffersComeBackOnOtherThreads) {
  auto pool = std::make_shared<BufferPool>();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([pool] {
      std::vector<std::shared_ptr<char>> buffers(8);
      for (std::size_t j = 0; j < 10000; ++j) {
        std::shared_ptr<char>& buffer = buffers[j % buffers.size()];
        buffer = pool->Lend(64 + j % 3000);
        *buffer = 'x';
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(pool->free_bytes(), BufferPool::kFreeBytesMax);
}

}  // namespace
}  // namespace cluster::internal
