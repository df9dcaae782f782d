#include "cluster/server/message_ids.h"

#include <algorithm>
#include <cstdint>
#include <new>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

TEST(MessageIds, GrowByOneInAThread) {
  MessageIds ids(7);
  for (std::uint64_t i = 1; i <= 3 * MessageIds::kBlock; ++i) {
    const MessageId id = ids.Next();
    EXPECT_EQ(id.incarnation, 7u);
    EXPECT_EQ(id.sequence, i);
  }
}

TEST(MessageIds, AreUniqueOverThreads) {
  constexpr std::size_t kThreads = 4, kEach = 10000;
  MessageIds ids(7);
  std::vector<std::vector<std::uint64_t>> taken(kThreads);
  std::vector<std::thread> threads;
  for (std::vector<std::uint64_t>& mine : taken) {
    threads.emplace_back([&ids, &mine] {
      for (std::size_t i = 0; i < kEach; ++i)
        mine.push_back(ids.Next().sequence);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<std::uint64_t> all;
  for (const std::vector<std::uint64_t>& mine : taken) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    all.insert(all.end(), mine.begin(), mine.end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
  EXPECT_EQ(all.size(), kThreads * kEach);
  EXPECT_GT(all.front(), 0u);
}

// A thread's block belongs to the server that it was taken from.
TEST(MessageIds, OfTwoServersDoNotMix) {
  MessageIds one(1), two(2);
  std::uint64_t last_one = 0, last_two = 0;
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t of_one = one.Next().sequence;
    const std::uint64_t of_two = two.Next().sequence;
    EXPECT_GT(of_one, last_one);
    EXPECT_GT(of_two, last_two);
    last_one = of_one;
    last_two = of_two;
  }
}

TEST(MessageIds, AnotherAtTheSamePlaceBeginsAnew) {
  alignas(MessageIds) unsigned char place[sizeof(MessageIds)];
  for (std::uint64_t life = 1; life <= 2; ++life) {
    auto* const ids = new (place) MessageIds(life);
    EXPECT_EQ(ids->Next().sequence, 1u);
    EXPECT_EQ(ids->Next().sequence, 2u);
    ids->~MessageIds();
  }
}

}  // namespace
}  // namespace cluster::internal
