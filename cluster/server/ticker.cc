#include "cluster/server/ticker.h"

#include <utility>

#include "cluster/server/clock.h"

namespace cluster {

Ticker::Ticker(absl::Duration soon, absl::Duration leisure,
               std::function<bool()> tick)
    : soon_(soon), leisure_(leisure), tick_(std::move(tick)) {}

void Ticker::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void Ticker::Stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    stop_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Ticker::Loop() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const bool busy = tick_();
    lock.lock();
    stop_.wait_until(lock, Deadline(busy ? soon_ : leisure_),
                     [this] { return stopping_; });
  }
}

}  // namespace cluster
