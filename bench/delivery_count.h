// DeliveryCount: counts the envelopes that reached one application, and waits
// for the last.
//
// So an iteration ends when all envelopes of it are delivered. Counting costs a
// load, a store and a comparison per envelope. Each receiver needs its own
// counter.
//
// Call Add from one thread at a time (a handler, a receiving thread), Expect
// and Wait from one other, Count from any. Call Expect before sending. Wait
// aborts after two minutes without progress.
//
//   DeliveryCount count;
//   count.Expect(1000);
//   for (int i = 0; i < 1000; ++i) Send(envelope);  // each becomes an Add(1)
//   count.Wait();

#ifndef BENCH_DELIVERY_COUNT_H_
#define BENCH_DELIVERY_COUNT_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cluster/base/check.h"
#include "cluster/base/mutex.h"

namespace cluster {
namespace bench {

class DeliveryCount {
 public:
  void Expect(std::int64_t more) {
    target_.store(target_.load(std::memory_order_relaxed) + more,
                  std::memory_order_relaxed);
  }

  void Add(std::int64_t more) {
    const std::int64_t count = count_.load(std::memory_order_relaxed) + more;
    count_.store(count, std::memory_order_release);
    if (count >= target_.load(std::memory_order_relaxed)) Signal();
  }

  // The count as far as this thread can see.
  std::int64_t Count() const { return count_.load(std::memory_order_relaxed); }

  void Wait() {
    internal::MutexLock lock(&mutex_);
    const bool all = reached_.WaitFor(&mutex_, std::chrono::minutes(2), [this] {
      return count_.load(std::memory_order_acquire) >=
             target_.load(std::memory_order_relaxed);
    });
    CLUSTER_CHECK(all, "not everything that was sent was delivered");
  }

 private:
  void Signal() {
    internal::MutexLock lock(&mutex_);
    reached_.NotifyAll();
  }

  // Keeps receivers on different cores off one cache line. Not alignas: gcc 12
  // misplaces over-aligned objects on asan's fake stack.
  char apart_[64];
  std::atomic<std::int64_t> count_{0};
  std::atomic<std::int64_t> target_{0};
  internal::Mutex mutex_;
  internal::CondVar reached_;
};

inline std::vector<std::unique_ptr<DeliveryCount>> NewDeliveryCounts(
    int count) {
  std::vector<std::unique_ptr<DeliveryCount>> counts;
  counts.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i)
    counts.push_back(std::make_unique<DeliveryCount>());
  return counts;
}

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_DELIVERY_COUNT_H_
