#include "cluster/transport/zmq/receive_loop.h"

#include <utility>

namespace cluster::internal {
namespace zmq_backend {
namespace {

constexpr std::chrono::milliseconds kBurstTime{1};
constexpr int kBurstFramesMax = 512;
// Reading the clock costs a few percent of the smallest frames' price.
constexpr int kFramesPerClockReading = 8;

// Where frames come one by one, only every so many-th is followed by a look for
// another: the look is a system call. A flood that begins is noticed by then.
constexpr int kLoneBurstsPerLook = 4;

constexpr int kListenPauseMs = 50;

}  // namespace

ReceiveLoop::ReceiveLoop(InboundSocket* inbound, TransportHandler* handler)
    : inbound_(inbound), handler_(handler) {}

absl::Status ReceiveLoop::Start() {
  return threads_.Start(handler_, [this] { return Burst(); });
}

void ReceiveLoop::Stop() {
  {
    MutexLock lock(&task_mutex_);
    tasks_closed_ = true;
    task_changed_.NotifyAll();
  }
  threads_.Stop([this] { inbound_->Wake(); });
}

bool ReceiveLoop::Perform(const std::function<void()>& task) {
  MutexLock lock(&task_mutex_);
  if (tasks_closed_) return false;
  task_ = &task;
  inbound_->Wake();
  while (task_ != nullptr && !tasks_closed_) task_changed_.Wait(&task_mutex_);
  return std::exchange(task_, nullptr) == nullptr;
}

// Under the lock, so that a task that is running is waited for.
void ReceiveLoop::ServeTask() {
  MutexLock lock(&task_mutex_);
  if (task_ == nullptr) return;
  (*task_)();
  task_ = nullptr;
  task_changed_.NotifyAll();
}

bool ReceiveLoop::Burst() {
  if (!inbound_->listening()) ListenDue();
  int frames = 0;
  if (!more_) {
    Take(inbound_->listening() ? InboundSocket::kForEver : kListenPauseMs,
         &frames);
    if (frames == 0) return false;
    if (lone_ && ++unlooked_ < kLoneBurstsPerLook) return true;
  }
  const Clock::time_point end = Clock::now() + kBurstTime;
  more_ = true;
  for (int i = 1; i < kBurstFramesMax; ++i) {
    if (!Take(0, &frames)) {
      more_ = false;
      break;
    }
    if (i % kFramesPerClockReading == 0 && Clock::now() >= end) break;
  }
  lone_ = frames == 1;
  unlooked_ = 0;
  return frames > 0;
}

bool ReceiveLoop::Take(int wait_ms, int* frames) {
  ReceivedFrame frame;
  Rejection rejection;
  switch (inbound_->Receive(wait_ms, &frame, &rejection)) {
    case InboundSocket::Result::kFrame:
      ++*frames;
      // A frame's connection is ZeroMQ's secret, so there is none to close
      // after a kMalformed.
      (void)handler_->OnFrame(std::move(frame));
      return true;
    case InboundSocket::Result::kRejected:
      handler_->OnRejected(std::move(rejection));
      return true;
    case InboundSocket::Result::kDropped:
      return true;
    case InboundSocket::Result::kWoken:
      ServeTask();
      return true;
    case InboundSocket::Result::kEmpty:
      return false;
  }
  return false;
}

void ReceiveLoop::ListenDue() {
  const Clock::time_point now = Clock::now();
  if (now < listen_at_) return;
  listen_at_ = now + std::chrono::milliseconds(kListenPauseMs);
  inbound_->TryToListen().IgnoreError();
}

}  // namespace zmq_backend
}  // namespace cluster::internal
