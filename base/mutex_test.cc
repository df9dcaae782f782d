// The order of locks, checked at run time, and that it costs nothing otherwise.

#include "cluster/base/mutex.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

constexpr LockRank kOuter = LockRank::kTransportStop;
constexpr LockRank kInner = LockRank::kLeaf;

TEST(Mutex, LocksInTheOrderOfRanks) {
  Mutex outer(kOuter);
  Mutex inner(kInner);
  MutexLock lock(&outer);
  MutexLock second(&inner);
  second.Unlock();
  if (!inner.TryLock()) FAIL() << "it was unlocked";
  inner.Unlock();
  second.Lock();
  inner.AssertHeld();
}

TEST(Mutex, WaitsUntilNotified) {
  Mutex mutex;
  CondVar changed;
  bool done = false;
  std::thread setter([&] {
    MutexLock lock(&mutex);
    done = true;
    changed.NotifyOne();
  });
  {
    MutexLock lock(&mutex);
    while (!done) changed.Wait(&mutex);
    mutex.AssertHeld();
    EXPECT_FALSE(changed.WaitFor(&mutex, std::chrono::milliseconds(1)));
    mutex.AssertHeld();
  }
  setter.join();
  if (!mutex.TryLock()) FAIL() << "it was unlocked";
  mutex.Unlock();
}

#ifndef CLUSTER_CHECK_LOCKS

static_assert(sizeof(Mutex) == sizeof(std::mutex), "costs memory");
static_assert(sizeof(CondVar) == sizeof(std::condition_variable), "likewise");

#else

TEST(MutexDeathTest, TheWrongOrderDiesWithBothNames) {
  Mutex outer(kOuter);
  Mutex inner(kInner);
  MutexLock lock(&inner);
  EXPECT_DEATH(MutexLock{&outer},
               "a thread locks kTransportStop while it holds kLeaf");
}

TEST(MutexDeathTest, TwoOfOneRankDie) {
  Mutex one;
  Mutex other;
  MutexLock lock(&one);
  EXPECT_DEATH(MutexLock{&other}, "a thread locks kLeaf while it holds kLeaf");
}

void LockAfterTryLock(Mutex* tried, Mutex* locked) {
  if (!tried->TryLock()) return;
  MutexLock lock(locked);
  tried->Unlock();
}

TEST(MutexDeathTest, AMutexTakenByTryLockCounts) {
  Mutex outer(kOuter);
  Mutex inner(kInner);
  LockAfterTryLock(&outer, &inner);
  EXPECT_DEATH(LockAfterTryLock(&inner, &outer),
               "locks kTransportStop while it holds kLeaf");
}

// It would be locked again after the inner one.
TEST(MutexDeathTest, WaitsOnlyWithTheMutexLockedLast) {
  Mutex outer(kOuter);
  Mutex inner(kInner);
  CondVar changed;
  MutexLock lock(&outer);
  MutexLock second(&inner);
  EXPECT_DEATH(changed.Wait(&outer),
               "waits with kTransportStop while it holds");
}

TEST(MutexDeathTest, AssertHeldDiesOnAnotherThread) {
  Mutex mutex;
  MutexLock lock(&mutex);
  EXPECT_DEATH(std::thread([&] { mutex.AssertHeld(); }).join(),
               "does not hold kLeaf");
}

#endif

// The ranks of the table "Locks", whose rows begin with "| `kName` |".
std::vector<std::string> RanksInArchitecture() {
  std::ifstream file("ARCHITECTURE.md");
  std::vector<std::string> ranks;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("| `k", 0) != 0) continue;
    ranks.push_back(line.substr(3, line.find('`', 3) - 3));
  }
  return ranks;
}

TEST(LockRank, TheTableInTheDocumentIsTheOrder) {
  EXPECT_EQ(RanksInArchitecture(),
            std::vector<std::string>(std::begin(kLockRankNames),
                                     std::end(kLockRankNames)));
}

}  // namespace
}  // namespace cluster::internal
