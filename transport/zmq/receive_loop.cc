#include "transport/zmq/receive_loop.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace cluster {
namespace zmq_backend {
namespace {

constexpr std::chrono::milliseconds kBurstTime{1};
constexpr int kBurstFramesMax = 512;
// Reading the clock costs a few percent of the smallest frames' price.
constexpr int kFramesPerClockReading = 8;

// A connection that ZeroMQ gave up waits from half of this to all of it.
constexpr int kRedialMsMax = 1000;

constexpr std::chrono::milliseconds kListenPause{50};

}  // namespace

ReceiveLoop::ReceiveLoop(Sockets* sockets, PeerTable* peers,
                         InboundSocket* inbound, TransportHandler* handler)
    : sockets_(sockets),
      peers_(peers),
      inbound_(inbound),
      handler_(handler),
      random_(std::random_device{}()) {}

void ReceiveLoop::Start() {
  sockets_->poll_set->Add(inbound_->fd(), WatchKey(Watched::kInbound, 0));
  sockets_->poll_set->Add(inbound_->monitor_fd(),
                          WatchKey(Watched::kInboundMonitor, 0));
  // Signals are the application's; its handlers run on its own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (std::thread& thread : threads_) thread = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ReceiveLoop::Stop() {
  stopping_.store(true);
  {
    std::lock_guard<std::mutex> lock(task_mutex_);
    tasks_closed_ = true;
    task_changed_.notify_all();
  }
  relief_.Close();
  sockets_->poll_set->Wake();
  for (std::thread& thread : threads_) thread.join();
  sockets_->poll_set->Remove(inbound_->fd());
  sockets_->poll_set->Remove(inbound_->monitor_fd());
}

bool ReceiveLoop::Perform(const std::function<void()>& task) {
  std::unique_lock<std::mutex> lock(task_mutex_);
  if (tasks_closed_) return false;
  task_ = &task;
  sockets_->poll_set->Wake();
  task_changed_.wait(lock,
                     [this] { return task_ == nullptr || tasks_closed_; });
  return std::exchange(task_, nullptr) == nullptr;
}

// Under the lock, so that a task that is running is waited for.
void ReceiveLoop::ServeTask() {
  std::lock_guard<std::mutex> lock(task_mutex_);
  if (task_ == nullptr) return;
  (*task_)();
  task_ = nullptr;
  task_changed_.notify_all();
}

void ReceiveLoop::Run() {
  while (relief_.Acquire()) {
    do {
      if (!Turn()) return;
    } while (relief_.Call([this] { handler_->OnDrained(); }));
  }
}

bool ReceiveLoop::Turn() {
  while (true) {
    // With input at hand this only looks, so that a flood does not keep the
    // rest waiting.
    const int wait_ms = inbound_ready_ ? 0 : WaitMilliseconds();
    for (PollSet::Key key : sockets_->poll_set->Wait(wait_ms)) Serve(key);
    RedialDue();
    if (!inbound_->listening()) ListenDue();
    if (stopping_.load()) return false;
    if (inbound_ready_ && Burst() > 0) return true;
  }
}

int ReceiveLoop::Burst() {
  const Clock::time_point end = Clock::now() + kBurstTime;
  int frames = 0;
  for (int i = 1; i <= kBurstFramesMax; ++i) {
    ReceivedFrame frame;
    Rejection rejection;
    const InboundSocket::Result result = inbound_->Receive(&frame, &rejection);
    if (result == InboundSocket::Result::kEmpty) {
      inbound_ready_ = false;
      break;
    }
    if (result == InboundSocket::Result::kFrame) {
      ++frames;
      // A frame's connection is ZeroMQ's secret, so there is none to close
      // after a kMalformed.
      (void)handler_->OnFrame(std::move(frame));
    }
    if (result == InboundSocket::Result::kRejected)
      handler_->OnRejected(std::move(rejection));
    if (i % kFramesPerClockReading == 0 && Clock::now() >= end) break;
  }
  return frames;
}

void ReceiveLoop::Serve(PollSet::Key key) {
  if (key == PollSet::kWakeKey) {
    // While stopping it stays, so that whoever holds the role sees it.
    if (stopping_.load()) return;
    sockets_->poll_set->ClearWake();
    ServeTask();
    for (const PeerTable::Peer& peer : peers_->All()) {
      ServeMonitor(peer.get());
      ServeRoom(peer.get());
    }
    return;
  }
  const Watched what = WhatOf(key);
  if (what == Watched::kInbound) {
    inbound_ready_ = true;
    return;
  }
  if (what == Watched::kInboundMonitor) return ServeInboundMonitor();
  const PeerTable::Peer peer = peers_->Find(PeerOf(key));
  if (peer == nullptr) return;  // gone since
  if (what == Watched::kMonitor) ServeMonitor(peer.get());
  if (what == Watched::kRoom) ServeRoom(peer.get());
}

void ReceiveLoop::ServeMonitor(OutboundPeer* peer) {
  reports_.clear();
  if (peer->TakeReports(&reports_)) {
    ScheduleRedial(peer->id());
  } else {
    redials_.erase(peer->id());
  }
  for (const LinkReport& report : reports_) {
    if (report.connected) {
      handler_->OnConnected(peer->id());
    } else {
      handler_->OnDisconnected(peer->id(), report.reason);
    }
  }
}

void ReceiveLoop::ServeInboundMonitor() {
  Rejection rejection;
  while (inbound_->NextRejection(&rejection))
    handler_->OnRejected(std::move(rejection));
}

void ReceiveLoop::ServeRoom(OutboundPeer* peer) {
  for (int owed = peer->TakeWritable(); owed > 0; --owed) {
    handler_->OnWritable(peer->id());
  }
}

void ReceiveLoop::ScheduleRedial(int peer) {
  std::uniform_int_distribution<int> delay(kRedialMsMax / 2, kRedialMsMax);
  redials_.emplace(peer,
                   Clock::now() + std::chrono::milliseconds(delay(random_)));
}

void ReceiveLoop::RedialDue() {
  if (redials_.empty()) return;
  const Clock::time_point now = Clock::now();
  for (auto next = redials_.begin(); next != redials_.end();) {
    const auto due = next++;
    if (due->second > now) continue;
    const int id = due->first;
    redials_.erase(due);
    const PeerTable::Peer peer = peers_->Find(id);
    if (peer != nullptr && !peer->Redial().ok()) ScheduleRedial(id);
  }
}

void ReceiveLoop::ListenDue() {
  const Clock::time_point now = Clock::now();
  if (now < listen_at_) return;
  listen_at_ = now + kListenPause;
  inbound_->TryToListen().IgnoreError();
}

int ReceiveLoop::WaitMilliseconds() const {
  if (redials_.empty() && inbound_->listening()) return -1;
  Clock::time_point first =
      inbound_->listening() ? Clock::time_point::max() : listen_at_;
  for (const auto& [peer, time] : redials_) first = std::min(first, time);
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(first - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

}  // namespace zmq_backend
}  // namespace cluster
