#include "cluster/base/ring.h"

#include <cstddef>
#include <deque>
#include <memory>
#include <random>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

TEST(Ring, DoesAsADequeDoes) {
  std::mt19937 random(1);
  Ring<int> ring;
  std::deque<int> deque;
  for (int i = 0; i < 20000; ++i) {
    const unsigned draw = random() % (i % 4000 < 2000 ? 4 : 8);
    if (draw < 2) {
      ring.PushBack(i);
      deque.push_back(i);
    } else if (draw == 2) {
      ring.PushFront(i);
      deque.push_front(i);
    } else if (!deque.empty()) {
      ASSERT_EQ(ring.PopFront(), deque.front());
      deque.pop_front();
    }
    ASSERT_EQ(ring.size(), deque.size());
    ASSERT_EQ(ring.empty(), deque.empty());
    if (deque.empty()) continue;
    ASSERT_EQ(ring.front(), deque.front());
    ASSERT_EQ(ring.back(), deque.back());
    const std::size_t index = random() % deque.size();
    ASSERT_EQ(ring[index], deque[index]);
  }
}

TEST(Ring, LetsGoOfWhatWasTaken) {
  Ring<std::shared_ptr<int>> ring;
  ring.PushBack(std::make_shared<int>(1));
  ring.PushBack(std::make_shared<int>(2));
  const std::weak_ptr<int> first = ring.front();
  EXPECT_FALSE(first.expired());
  ring.PopFront();
  EXPECT_TRUE(first.expired());
  const std::weak_ptr<int> second = ring.front();
  ring.DropFront();
  EXPECT_TRUE(second.expired());
  ring.PushBack(std::make_shared<int>(3));
  const std::weak_ptr<int> third = ring.front();
  ring.Clear();
  EXPECT_TRUE(third.expired());
  EXPECT_TRUE(ring.empty());
}

TEST(RingDeathTest, NothingIsTakenFromAnEmptyOne) {
  Ring<int> ring;
  EXPECT_DEATH(ring.PopFront(), "empty");
}

}  // namespace
}  // namespace cluster::internal
