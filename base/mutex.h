// Mutex, MutexLock, CondVar: the standard ones, with two checks.
//
// clang checks at compile time that what a mutex guards is touched only under
// it: bazel build --config=thread_safety. CLUSTER_CHECK_LOCKS checks each lock
// against the order of lock_rank.h, and a wrong one aborts with both names; Bazel
// sets it without -c opt. NDEBUG would not do: it may differ between the library
// and its user, and a mutex's size with it.
//
// clang analyses a lambda alone. So wait in a while loop, or begin the condition
// with mutex_.AssertHeld(), like any lambda that runs under the lock.
//
//   void Put(int item) {
//     MutexLock lock(&mutex_);
//     items_.push_back(item);
//     changed_.NotifyOne();
//   }
//   int Take() {
//     MutexLock lock(&mutex_);
//     while (items_.empty()) changed_.Wait(&mutex_);
//     ...
//   }
//   Mutex mutex_;  // a leaf: nothing else is locked under it
//   CondVar changed_;
//   std::deque<int> items_ CLUSTER_GUARDED_BY(mutex_);

#ifndef CLUSTER_BASE_MUTEX_H_
#define CLUSTER_BASE_MUTEX_H_

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "cluster/base/lock_rank.h"

#ifdef __clang__
#define CLUSTER_THREAD_ATTRIBUTE(attribute) __attribute__((attribute))
#else
#define CLUSTER_THREAD_ATTRIBUTE(attribute)
#endif

// Of a member: the mutex to hold; of a pointer, for what it points to.
#define CLUSTER_GUARDED_BY(mutex) CLUSTER_THREAD_ATTRIBUTE(guarded_by(mutex))
#define CLUSTER_PT_GUARDED_BY(mutex) \
  CLUSTER_THREAD_ATTRIBUTE(pt_guarded_by(mutex))
// Of a function: what the caller holds, must not hold, gets or gives back.
#define CLUSTER_REQUIRES(...) \
  CLUSTER_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define CLUSTER_EXCLUDES(...) \
  CLUSTER_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define CLUSTER_ACQUIRE(...) \
  CLUSTER_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define CLUSTER_TRY_ACQUIRE(...) \
  CLUSTER_THREAD_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define CLUSTER_RELEASE(...) \
  CLUSTER_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
// Not in product code without a reason beside it.
#define CLUSTER_NO_THREAD_SAFETY_ANALYSIS \
  CLUSTER_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace cluster::internal {

namespace mutex_internal {

// The rank of a mutex, checked against what the calling thread holds.
class Ranked {
 public:
#ifndef CLUSTER_CHECK_LOCKS
  explicit constexpr Ranked(LockRank /*rank*/) {}
  void BeforeLock() const {}
  void BeforeWait() const {}
  void Locked() const {}
  void Unlocking() const {}
  void CheckHeld() const {}
#else
  explicit constexpr Ranked(LockRank rank) : rank_(rank) {}
  void BeforeLock() const;  // aborts if the thread holds this rank or a later
  void BeforeWait() const;  // aborts unless it locked this one last
  void Locked() const;
  void Unlocking() const;
  void CheckHeld() const;  // aborts unless the thread holds this one

 private:
  const char* name() const;
  [[noreturn]] void Die(const char* does) const;

  const LockRank rank_;
#endif
};

}  // namespace mutex_internal

class CLUSTER_THREAD_ATTRIBUTE(capability("mutex")) Mutex
    : private mutex_internal::Ranked {
 public:
  explicit constexpr Mutex(LockRank rank = LockRank::kLeaf) : Ranked(rank) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() CLUSTER_ACQUIRE() {
    BeforeLock();
    mutex_.lock();
    Locked();
  }
  // For a mutex that is locked often and for some hundred instructions. Tries a
  // few times, lets other threads run once, and then blocks.
  void LockOrYield() CLUSTER_ACQUIRE() {
    BeforeLock();
    if (!TryAWhile()) {
      std::this_thread::yield();
      mutex_.lock();
    }
    Locked();
  }
  // In any order, since it does not wait.
  bool TryLock() CLUSTER_TRY_ACQUIRE(true) {
    if (!mutex_.try_lock()) return false;
    Locked();
    return true;
  }
  void Unlock() CLUSTER_RELEASE() {
    Unlocking();
    mutex_.unlock();
  }
  // Tells the compiler; checks with CLUSTER_CHECK_LOCKS.
  void AssertHeld() const CLUSTER_THREAD_ATTRIBUTE(assert_capability(this)) {
    CheckHeld();
  }

 private:
  friend class CondVar;

  static constexpr int kTriesMax = 5;

  bool TryAWhile() {
    for (int tries = 1; !mutex_.try_lock(); ++tries) {
      if (tries == kTriesMax) return false;
#ifdef __x86_64__
      __builtin_ia32_pause();
#endif
    }
    return true;
  }

  std::mutex mutex_;
};

// Holds a mutex while it lives, but between Unlock and Lock.
class CLUSTER_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) CLUSTER_ACQUIRE(mutex) : mutex_(mutex) {
    mutex_->Lock();
  }
  enum Yield { kYield };
  MutexLock(Mutex* mutex, Yield) CLUSTER_ACQUIRE(mutex) : mutex_(mutex) {
    mutex_->LockOrYield();
  }
  // Of a mutex that the thread has locked already.
  MutexLock(Mutex* mutex, std::adopt_lock_t) CLUSTER_REQUIRES(mutex)
      : mutex_(mutex) {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  ~MutexLock() CLUSTER_RELEASE() {
    if (held_) mutex_->Unlock();
  }

  void Unlock() CLUSTER_RELEASE() {
    mutex_->Unlock();
    held_ = false;
  }
  void Lock() CLUSTER_ACQUIRE() {
    mutex_->Lock();
    held_ = true;
  }

 private:
  Mutex* const mutex_;
  bool held_ = true;
};

// `mutex` is the one that the thread locked last. Without a condition, waits may
// end for no reason: call them in a loop.
class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  void Wait(Mutex* mutex) CLUSTER_REQUIRES(mutex) {
    mutex->BeforeWait();
    Borrowed lock(mutex);
    changed_.wait(lock.lock);
  }
  // False: the time is over.
  template <typename Clock, typename Duration>
  bool WaitUntil(Mutex* mutex,
                 const std::chrono::time_point<Clock, Duration>& deadline)
      CLUSTER_REQUIRES(mutex) {
    mutex->BeforeWait();
    Borrowed lock(mutex);
    return changed_.wait_until(lock.lock, deadline) ==
           std::cv_status::no_timeout;
  }
  template <typename Rep, typename Period>
  bool WaitFor(Mutex* mutex, const std::chrono::duration<Rep, Period>& time)
      CLUSTER_REQUIRES(mutex) {
    return WaitUntil(mutex, std::chrono::steady_clock::now() + time);
  }

  template <typename Condition>
  void Wait(Mutex* mutex, Condition condition) CLUSTER_REQUIRES(mutex) {
    while (!condition()) Wait(mutex);
  }
  // False: the time is over, and the condition does not hold.
  template <typename Clock, typename Duration, typename Condition>
  bool WaitUntil(Mutex* mutex,
                 const std::chrono::time_point<Clock, Duration>& deadline,
                 Condition condition) CLUSTER_REQUIRES(mutex) {
    while (!condition()) {
      if (!WaitUntil(mutex, deadline)) return condition();
    }
    return true;
  }
  template <typename Rep, typename Period, typename Condition>
  bool WaitFor(Mutex* mutex, const std::chrono::duration<Rep, Period>& time,
               Condition condition) CLUSTER_REQUIRES(mutex) {
    return WaitUntil(mutex, std::chrono::steady_clock::now() + time, condition);
  }

  void NotifyOne() { changed_.notify_one(); }
  void NotifyAll() { changed_.notify_all(); }

 private:
  // The standard's lock for the time of a wait; the mutex stays locked after it.
  struct Borrowed {
    explicit Borrowed(Mutex* mutex) : lock(mutex->mutex_, std::adopt_lock) {}
    ~Borrowed() { lock.release(); }
    std::unique_lock<std::mutex> lock;
  };

  std::condition_variable changed_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_BASE_MUTEX_H_
