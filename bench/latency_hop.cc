// thread_hop_pinned: two threads on one core wake each other in turn through a
// condition variable. One round trip is two hops. The tables give Receive's
// extra cost in hops, since each side wakes one thread more than with a
// handler. Only on one core does a hop always cost the same.

#include <chrono>
#include <thread>

#include "bench/cases.h"
#include "bench/measure.h"
#include "bench/process_usage.h"
#include "cluster/base/mutex.h"

namespace cluster {
namespace bench {
namespace {

class Turns {
 public:
  enum Turn { kNear, kFar, kOver };

  void Give(Turn turn) {
    {
      internal::MutexLock lock(&mutex_);
      turn_ = turn;
    }
    given_.NotifyAll();
  }
  // False at the end.
  bool Wait(Turn turn) {
    internal::MutexLock lock(&mutex_);
    given_.Wait(&mutex_, [&] { return turn_ == turn || turn_ == kOver; });
    return turn_ == turn;
  }

 private:
  internal::Mutex mutex_;
  internal::CondVar given_;
  Turn turn_ = kNear;
};

void MeasureHop(benchmark::State& state) {
  const PinnedToOneCore one_core;
  Turns turns;
  std::thread far([&] {
    while (turns.Wait(Turns::kFar)) turns.Give(Turns::kNear);
  });
  MeasureRoundTrips(state, [&](int times, Samples* samples) {
    for (int i = 0; i < times; ++i) {
      const auto start = std::chrono::steady_clock::now();
      turns.Give(Turns::kFar);
      turns.Wait(Turns::kNear);
      samples->Add(std::chrono::steady_clock::now() - start);
    }
  });
  turns.Give(Turns::kOver);
  far.join();
}

}  // namespace

void AddHopCases() { AddCase("thread_hop_pinned", MeasureHop); }

}  // namespace bench
}  // namespace cluster
