#include "cluster/transport/nng/caretaker.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "cluster/base/start_thread.h"

namespace cluster::internal {
namespace nng {
namespace {

// How long to sleep when nothing has a time: bounded, since some libraries
// overflow on time_point::max.
constexpr std::chrono::hours kLongTime{1};

}  // namespace

absl::Status Caretaker::Start() {
  return StartThread(
      "cluster-care", [this] { Run(); }, &thread_);
}

void Caretaker::Add(std::shared_ptr<Tended> tended) {
  MutexLock lock(&mutex_);
  added_.push_back(std::move(tended));
  woken_ = true;
  changed_.NotifyOne();
}

void Caretaker::Do(std::function<void()> step) {
  struct Once final : Tended {
    absl::optional<Clock::time_point> Tend(Clock::time_point) override {
      step();
      return absl::nullopt;
    }
    std::function<void()> step;
  };
  const auto once = std::make_shared<Once>();
  once->step = std::move(step);
  Add(once);
}

void Caretaker::Wake() {
  MutexLock lock(&mutex_);
  woken_ = true;
  changed_.NotifyOne();
}

void Caretaker::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    woken_ = true;
    changed_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
}

void Caretaker::Run() {
  MutexLock lock(&mutex_);
  while (true) {
    std::move(added_.begin(), added_.end(), std::back_inserter(tended_));
    added_.clear();
    woken_ = false;
    lock.Unlock();
    const Clock::time_point next = TendAll();
    lock.Lock();
    if (stopping_ && tended_.empty() && added_.empty()) return;
    while (!woken_ && changed_.WaitUntil(&mutex_, next)) {
    }
  }
}

Clock::time_point Caretaker::TendAll() {
  const Clock::time_point now = Clock::now();
  Clock::time_point next = now + kLongTime;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < tended_.size(); ++i) {
    const absl::optional<Clock::time_point> again = tended_[i]->Tend(now);
    if (!again.has_value()) continue;
    next = std::min(next, *again);
    if (kept != i) tended_[kept] = std::move(tended_[i]);
    ++kept;
  }
  tended_.resize(kept);
  return next;
}

void AsyncHandle::Close() {
  holds_.fetch_add(1);
  if (!closed_.exchange(true)) CloseHandles();
  Release();
}

absl::optional<Clock::time_point> AsyncHandle::Tend(Clock::time_point) {
  if (closed_.load() && holds_.load() == 0) {
    FreeHandles();
    return absl::nullopt;
  }
  TendOpen();
  return Clock::time_point::max();
}

}  // namespace nng
}  // namespace cluster::internal
