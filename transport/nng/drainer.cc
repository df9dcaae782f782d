#include "cluster/transport/nng/drainer.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "cluster/base/start_thread.h"

namespace cluster::internal {
namespace nng {
namespace {

// nng's threads that are inside an OnDrained, of all transports together.
std::atomic<int> inside{0};

// Half of nng's callback threads (it makes two a CPU, at most 16).
int InsideMax() {
  static const int max = static_cast<int>(
      std::min(8L, std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))));
  return max;
}

}  // namespace

absl::Status Drainer::Start() {
  absl::Status status;
  for (std::thread& thread : threads_) {
    if (status.ok())
      status = StartThread(
          "cluster-drain", [this] { Run(); }, &thread);
  }
  return status;
}

void Drainer::Drain() {
  if (inside.fetch_add(1) < InsideMax()) {
    handler_->OnDrained();
  } else {
    MutexLock lock(&mutex_);
    wanted_ = true;
    changed_.NotifyOne();
  }
  inside.fetch_sub(1);
}

void Drainer::Run() {
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

void Drainer::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace nng
}  // namespace cluster::internal
