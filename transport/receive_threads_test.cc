#include "cluster/transport/receive_threads.h"

#include <atomic>

#include "cluster/base/mutex.h"
#include "cluster/transport/contract/recording_handler.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

// Turns that wait for frames, which are only counted.
class Frames {
 public:
  void Add() {
    MutexLock lock(&mutex_);
    ++waiting_;
    changed_.NotifyAll();
  }
  void Wake() {
    MutexLock lock(&mutex_);
    woken_ = true;
    changed_.NotifyAll();
  }
  bool Turn() {
    MutexLock lock(&mutex_);
    changed_.Wait(&mutex_, [this] { return waiting_ > 0 || woken_; });
    if (waiting_ == 0) return false;
    --waiting_;
    return true;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int waiting_ = 0;
  bool woken_ = false;
};

TEST(ReceiveThreads, DrainAfterEachTurnWithFrames) {
  RecordingHandler handler;
  Frames frames;
  ReceiveThreads threads;
  ASSERT_TRUE(threads.Start(&handler, [&] { return frames.Turn(); }).ok());
  for (std::size_t i = 1; i <= 3; ++i) {
    frames.Add();
    EXPECT_TRUE(handler.WaitFor(
        [i](const Recorded& seen) { return seen.drained_count == i; }));
  }
  threads.Stop([&] { frames.Wake(); });
  EXPECT_EQ(handler.Get().drained_count, 3u);
}

TEST(ReceiveThreads, GoOnWhileOnDrainedBlocks) {
  RecordingHandler handler;
  Gate second;
  std::atomic<bool> first{true};
  handler.on_drained = [&] {
    if (first.exchange(false)) {
      second.Wait();
    } else {
      second.Open();
    }
  };
  Frames frames;
  ReceiveThreads threads;
  ASSERT_TRUE(threads.Start(&handler, [&] { return frames.Turn(); }).ok());
  frames.Add();
  frames.Add();
  EXPECT_TRUE(handler.WaitFor([](const Recorded& seen) {
    return seen.drained_count == 2 && seen.running == 0;
  }));
  threads.Stop([&] { frames.Wake(); });
}

TEST(ReceiveThreads, StopsBeforeAnyFrameAndTwice) {
  RecordingHandler handler;
  Frames frames;
  ReceiveThreads threads;
  ASSERT_TRUE(threads.Start(&handler, [&] { return frames.Turn(); }).ok());
  threads.Stop([&] { frames.Wake(); });
  threads.Stop([] {});
  EXPECT_EQ(handler.Get().drained_count, 0u);
}

}  // namespace
}  // namespace cluster::internal
