#include "cluster/transport/nng/drainer.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

#include "cluster/base/start_thread.h"

namespace cluster::internal {
namespace nng {
namespace {

constexpr std::size_t kThreadsMax = 2;

// nng's threads that are inside an OnDrained, of all transports together.
std::atomic<int> inside{0};

// Half of nng's callback threads (it makes two a CPU, at most 16).
int InsideMax() {
  static const int max = static_cast<int>(
      std::min(8L, std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))));
  return max;
}

}  // namespace

void Drainer::Drain() {
  const bool inline_allowed = inside.fetch_add(1) < InsideMax();
  if (inline_allowed || !HandOff()) handler_->OnDrained();
  inside.fetch_sub(1);
}

bool Drainer::HandOff() {
  MutexLock lock(&mutex_);
  if (stopping_) return true;
  if (waiting_ == 0 && threads_.size() < kThreadsMax) {
    std::thread thread;
    const absl::Status started = StartThread(
        "cluster-drain", [this] { Run(); }, &thread);
    if (!started.ok()) return false;
    threads_.push_back(std::move(thread));
  }
  wanted_ = true;
  changed_.NotifyOne();
  return true;
}

void Drainer::Run() {
  MutexLock lock(&mutex_);
  while (true) {
    ++waiting_;
    while (!wanted_ && !stopping_) changed_.Wait(&mutex_);
    --waiting_;
    if (stopping_) return;
    wanted_ = false;
    lock.Unlock();
    handler_->OnDrained();
    lock.Lock();
  }
}

void Drainer::Stop() {
  std::vector<std::thread> threads;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    std::swap(threads, threads_);
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace nng
}  // namespace cluster::internal
