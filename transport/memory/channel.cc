#include "cluster/transport/memory/channel.h"

#include <algorithm>
#include <string>
#include <utility>

namespace cluster::internal {
namespace memory {
namespace {

// The most that is delivered before other channels have their turn.
constexpr std::size_t kTurnFrames = 64;
constexpr std::size_t kTurnBytes = 1u << 20;

std::size_t Cost(const Slice& frame) {
  return frame.bytes.size() + Channel::kFrameOverheadBytes;
}

}  // namespace

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

Channel::Channel(int peer, std::uint64_t generation,
                 std::shared_ptr<Port> sender, std::size_t queue_bytes_max)
    : peer_(peer),
      sender_(std::move(sender)),
      queue_bytes_max_(queue_bytes_max),
      generation_(generation) {}

SendResult Channel::Push(Slice frame) {
  const std::size_t cost = Cost(frame);
  MutexLock lock(&mutex_);
  if (closed_) return SendResult::kSent;
  if (bytes_ > 0 && bytes_ + cost > queue_bytes_max_) {
    owes_write_ = true;
    return SendResult::kBackPressured;
  }
  ScheduleLocked();  // what it leads to waits for our lock
  queue_.PushBack(std::move(frame));
  bytes_ += cost;
  return SendResult::kSent;
}

void Channel::WaitUntilIdle(std::chrono::steady_clock::time_point deadline) {
  MutexLock lock(&mutex_);
  while (receiver_ != nullptr && bytes_ > 0) {
    if (!idle_.WaitUntil(&mutex_, deadline)) return;
  }
}

void Channel::Attach(std::shared_ptr<Port> receiver) {
  MutexLock lock(&mutex_);
  AttachLocked(std::move(receiver));
}

void Channel::Refuse(absl::string_view reason) {
  MutexLock lock(&mutex_);
  PostLocked(Job::Kind::kDisconnected, reason);
}

void Channel::Detach(absl::string_view reason) {
  Ring<Slice> lost;  // Let go of without the lock.
  MutexLock lock(&mutex_);
  if (receiver_ != nullptr) lost = DetachLocked(reason);
}

void Channel::Renew(std::uint64_t generation, absl::string_view reason) {
  Ring<Slice> lost;
  MutexLock lock(&mutex_);
  if (receiver_ != nullptr) lost = DetachLocked(reason);
  generation_ = generation;
}

void Channel::Part() {
  {
    MutexLock lock(&mutex_);
    if (receiver_ != nullptr && bytes_ > 0) {
      closed_.store(true, std::memory_order_release);
      return;
    }
  }
  Close();
}

void Channel::Close() {
  Ring<Slice> lost;
  MutexLock lock(&mutex_);
  closed_.store(true, std::memory_order_release);
  receiver_ = nullptr;
  ++epoch_;
  std::swap(lost, queue_);
  bytes_ = 0;
  idle_.NotifyAll();
}

Channel::Turn Channel::Take(std::uint64_t epoch) {
  Turn turn;
  MutexLock lock(&mutex_);
  if (epoch != epoch_) return turn;
  turn.frames.reserve(std::min(queue_.size(), kTurnFrames));
  while (!queue_.empty() && turn.frames.size() < kTurnFrames &&
         turn.cost < kTurnBytes) {
    turn.cost += Cost(queue_.front());
    turn.frames.push_back(queue_.PopFront());
  }
  return turn;
}

void Channel::Delivered(std::uint64_t epoch, std::size_t cost) {
  MutexLock lock(&mutex_);
  if (epoch != epoch_) return;
  bytes_ -= cost;
  scheduled_ = false;
  if (!queue_.empty()) ScheduleLocked();
  MakeRoomLocked();
}

void Channel::Reattach(std::uint64_t epoch, absl::string_view reason) {
  Ring<Slice> lost;
  MutexLock lock(&mutex_);
  if (receiver_ == nullptr || epoch != epoch_) return;
  std::shared_ptr<Port> receiver = receiver_;
  lost = DetachLocked(reason);
  AttachLocked(std::move(receiver));
}

void Channel::AttachLocked(std::shared_ptr<Port> receiver) {
  if (closed_) return;
  receiver_ = std::move(receiver);
  ++epoch_;
  scheduled_ = false;
  PostLocked(Job::Kind::kConnected, "");
  if (!queue_.empty()) ScheduleLocked();
}

Ring<Slice> Channel::DetachLocked(absl::string_view reason) {
  receiver_ = nullptr;
  ++epoch_;
  Ring<Slice> lost;
  std::swap(lost, queue_);
  bytes_ = 0;
  PostLocked(Job::Kind::kDisconnected, reason);
  MakeRoomLocked();
  return lost;
}

void Channel::ScheduleLocked() {
  if (receiver_ == nullptr || scheduled_) return;
  Job job;
  job.kind = Job::Kind::kFrames;
  job.channel = shared_from_this();
  job.epoch = epoch_;
  receiver_->Post(std::move(job));
  scheduled_ = true;
}

// Calls a sender back when half of the queue is free, so that it does not come
// back for each frame.
void Channel::MakeRoomLocked() {
  if (owes_write_ && bytes_ <= queue_bytes_max_ / 2) {
    owes_write_ = false;
    PostLocked(Job::Kind::kWritable, "");
  }
  if (bytes_ == 0) idle_.NotifyAll();
}

void Channel::PostLocked(Job::Kind kind, absl::string_view reason) {
  Job job;
  job.kind = kind;
  job.channel = shared_from_this();
  job.generation = generation_;
  job.reason = std::string(reason);
  sender_->Post(std::move(job));
}

}  // namespace memory
}  // namespace cluster::internal
