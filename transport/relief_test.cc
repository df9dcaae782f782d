#include "cluster/transport/relief.h"

#include <atomic>
#include <thread>

#include "cluster/base/mutex.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

// Opens once; threads wait for it.
class Gate {
 public:
  void Open() {
    MutexLock lock(&mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  void Wait() {
    MutexLock lock(&mutex_);
    changed_.Wait(&mutex_, [this] { return open_; });
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ = false;
};

TEST(Relief, TakesTheRoleAtTheSecondLookAtTheSameCallback) {
  Relief relief;
  ASSERT_TRUE(relief.Acquire());
  const std::uint64_t ticket = relief.Enter();
  std::uint64_t seen = 0;
  EXPECT_FALSE(relief.Look(&seen));
  EXPECT_TRUE(relief.Look(&seen));
  EXPECT_FALSE(relief.Leave(ticket));
}

TEST(Relief, LeavesTheRoleWithAHolderWhoseCallbacksReturn) {
  Relief relief;
  ASSERT_TRUE(relief.Acquire());
  std::uint64_t seen = 0;
  for (int i = 0; i < 10; ++i) {
    const std::uint64_t ticket = relief.Enter();
    EXPECT_FALSE(relief.Look(&seen));
    EXPECT_TRUE(relief.Leave(ticket));
  }
}

TEST(Relief, LeavesTheRoleWithAHolderOutsideOfCallbacks) {
  Relief relief;
  ASSERT_TRUE(relief.Acquire());
  std::uint64_t seen = 0;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(relief.Look(&seen));
  EXPECT_TRUE(relief.Call([] {}));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(relief.Look(&seen));
}

TEST(Relief, OneOfTwoThatLookTakesTheRole) {
  Relief relief;
  ASSERT_TRUE(relief.Acquire());
  relief.Enter();
  std::uint64_t seen1 = 0;
  std::uint64_t seen2 = 0;
  EXPECT_FALSE(relief.Look(&seen1));
  EXPECT_FALSE(relief.Look(&seen2));
  EXPECT_TRUE(relief.Look(&seen1));
  EXPECT_FALSE(relief.Look(&seen2));
}

TEST(Relief, TheRoleMovesToAndFro) {
  Relief relief;
  Gate first_acquired;
  Gate first_unblock;
  Gate second_unblock;
  int turns = 0;  // Of the role's holder: the role is its lock.
  bool first_kept = true;
  bool second_kept = true;

  std::thread first([&] {
    ASSERT_TRUE(relief.Acquire());
    ++turns;
    first_acquired.Open();
    first_kept = relief.Call([&] { first_unblock.Wait(); });
    ASSERT_TRUE(relief.Acquire());
    ++turns;
    second_unblock.Open();
  });
  std::thread second([&] {
    first_acquired.Wait();
    ASSERT_TRUE(relief.Acquire());
    ++turns;
    first_unblock.Open();
    second_kept = relief.Call([&] { second_unblock.Wait(); });
  });
  first.join();
  second.join();
  EXPECT_EQ(turns, 3);
  EXPECT_FALSE(first_kept);
  EXPECT_FALSE(second_kept);
}

// After a while without callbacks the other thread sleeps: the next callback
// must wake it.
TEST(Relief, TakesTheRoleAfterAnIdleWhile) {
  Relief relief;
  ASSERT_TRUE(relief.Acquire());
  std::atomic<bool> taken{false};
  Gate unblock;
  std::thread other([&] {
    EXPECT_TRUE(relief.Acquire());
    taken = true;
    unblock.Open();
  });
  while (!relief.parked()) std::this_thread::yield();
  EXPECT_FALSE(taken);
  EXPECT_FALSE(relief.Call([&] { unblock.Wait(); }));
  EXPECT_TRUE(taken);
  other.join();
}

TEST(Relief, CloseEndsAParkedWait) {
  Relief relief;
  ASSERT_TRUE(relief.Acquire());
  std::thread waiting([&] { EXPECT_FALSE(relief.Acquire()); });
  while (!relief.parked()) std::this_thread::yield();
  relief.Close();
  waiting.join();
}

TEST(Relief, CloseEndsAWaitAndAllToCome) {
  Relief relief;
  ASSERT_TRUE(relief.Acquire());
  std::thread waiting([&] { EXPECT_FALSE(relief.Acquire()); });
  relief.Close();
  waiting.join();
  EXPECT_FALSE(relief.Acquire());
}

}  // namespace
}  // namespace cluster::internal
