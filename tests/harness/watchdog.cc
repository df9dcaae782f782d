#include "tests/harness/watchdog.h"

#include <cstdlib>
#include <iostream>
#include <utility>

namespace cluster::internal {

Watchdog::Watchdog(std::string what, absl::Duration limit)
    : what_(std::move(what)), limit_(limit), thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  {
    MutexLock lock(&mutex_);
    returned_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void Watchdog::Run() {
  MutexLock lock(&mutex_);
  const bool returned =
      changed_.WaitFor(&mutex_, absl::ToChronoMilliseconds(limit_),
                       [this] { return returned_; });
  if (returned) return;
  std::cerr << what_ << " has not returned after "
            << absl::FormatDuration(limit_) << std::endl;
  std::abort();
}

}  // namespace cluster::internal
