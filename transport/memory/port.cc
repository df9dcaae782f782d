#include "cluster/transport/memory/port.h"

#include <utility>

#include "cluster/transport/memory/channel.h"

namespace cluster::internal {
namespace memory {

void Port::Post(Job job) {
  bool wake = false;
  {
    MutexLock lock(&mutex_);
    if (closed_) return;
    (job.kind == Job::Kind::kFrames ? frames_ : events_)
        .push_back(std::move(job));
    wake = std::exchange(asleep_, false);
  }
  if (wake) awake_.NotifyOne();
}

Job Port::Next(bool wait) {
  MutexLock lock(&mutex_);
  while (true) {
    std::deque<Job>& jobs = events_.empty() ? frames_ : events_;
    if (!jobs.empty()) {
      Job job = std::move(jobs.front());
      jobs.pop_front();
      return job;
    }
    Job none;
    if (!wait) return none;
    if (closed_) {
      none.kind = Job::Kind::kClosed;
      return none;
    }
    asleep_ = true;
    awake_.Wait(&mutex_);
  }
}

void Port::Close() {
  std::deque<Job> frames;  // Let go of without the lock.
  std::deque<Job> events;
  {
    MutexLock lock(&mutex_);
    closed_ = true;
    frames.swap(frames_);
    events.swap(events_);
  }
  awake_.NotifyAll();
}

}  // namespace memory
}  // namespace cluster::internal
