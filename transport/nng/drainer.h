// Calls OnDrained, in which user code may block, without using up nng's
// threads.
//
// nng runs the callbacks of the whole process on 2 threads a CPU, 16 at most.
// While at most half of them are inside an OnDrained, Drain calls it inline,
// without a hop. Otherwise one of two threads of this transport calls it; calls
// that come while both are busy become one. Stop waits for these two, and so
// for user code; no Drain may run then.

#ifndef CLUSTER_TRANSPORT_NNG_DRAINER_H_
#define CLUSTER_TRANSPORT_NNG_DRAINER_H_

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "cluster/base/mutex.h"
#include "cluster/base/start_thread.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace nng {

class Drainer {
 public:
  explicit Drainer(TransportHandler* handler) : handler_(handler) {}
  ~Drainer() { Stop(); }

  // Call once, before Drain. kResourceExhausted: no more threads.
  absl::Status Start() {
    absl::Status status;
    for (std::thread& thread : threads_) {
      if (!status.ok()) break;
      status = StartThread(
          "cluster-drain", [this] { Run(); }, &thread);
    }
    return status;
  }

  void Drain() {
    if (inside.fetch_add(1) < InsideMax()) {
      handler_->OnDrained();
    } else {
      MutexLock lock(&mutex_);
      wanted_ = true;
      changed_.NotifyOne();
    }
    inside.fetch_sub(1);
  }

  void Stop() {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
      changed_.NotifyAll();
    }
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

 private:
  // Half of nng's callback threads.
  static int InsideMax() {
    static const int max = static_cast<int>(
        std::min(8L, std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))));
    return max;
  }

  void Run() {
    MutexLock lock(&mutex_);
    while (!stopping_) {
      if (!std::exchange(wanted_, false)) {
        changed_.Wait(&mutex_);
        continue;
      }
      lock.Unlock();
      handler_->OnDrained();
      lock.Lock();
    }
  }

  // nng's threads that are inside an OnDrained, over all transports.
  inline static std::atomic<int> inside{0};

  TransportHandler* const handler_;
  Mutex mutex_;
  CondVar changed_;
  bool wanted_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool stopping_ CLUSTER_GUARDED_BY(mutex_) = false;
  std::array<std::thread, 2> threads_;
};

}  // namespace nng
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_NNG_DRAINER_H_
