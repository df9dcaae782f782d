#include "cluster/transport/zmq/event_loop.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "cluster/base/start_thread.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

// A connection that ZeroMQ gave up waits from half of this to all of it.
constexpr int kRedialMsMax = 1000;

}  // namespace

EventLoop::EventLoop(Sockets* sockets, PeerTable* peers, InboundSocket* inbound,
                     TransportHandler* handler)
    : sockets_(sockets),
      peers_(peers),
      inbound_(inbound),
      handler_(handler),
      random_(std::random_device{}()) {}

absl::Status EventLoop::Start() {
  absl::Status status = StartThread(
      "cluster-events", [this] { Run(); }, &thread_);
  if (!status.ok()) return status;
  sockets_->poll_set->Add(inbound_->monitor_fd(),
                          WatchKey(Watched::kInboundMonitor, 0));
  return absl::OkStatus();
}

void EventLoop::Stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true);
  sockets_->poll_set->Wake();
  thread_.join();
  sockets_->poll_set->Remove(inbound_->monitor_fd());
}

void EventLoop::Run() {
  while (!stopping_.load()) {
    for (PollSet::Key key : sockets_->poll_set->Wait(WaitMilliseconds()))
      Serve(key);
    RedialDue();
  }
}

void EventLoop::Serve(PollSet::Key key) {
  if (key == PollSet::kWakeKey) return ServeAll();
  const Watched what = WhatOf(key);
  if (what == Watched::kInboundMonitor) return ServeInboundMonitor();
  const PeerTable::Peer peer = peers_->Find(PeerOf(key));
  if (peer == nullptr) return;  // gone since
  if (what == Watched::kMonitor) ServeMonitor(peer.get());
  if (what == Watched::kRoom) ServeRoom(peer.get());
}

void EventLoop::ServeAll() {
  sockets_->poll_set->ClearWake();
  for (const PeerTable::Peer& peer : peers_->All()) {
    ServeMonitor(peer.get());
    ServeRoom(peer.get());
  }
}

void EventLoop::ServeMonitor(OutboundPeer* peer) {
  reports_.clear();
  if (peer->TakeReports(&reports_)) {
    ScheduleRedial(peer->id());
  } else {
    redials_.erase(peer->id());
  }
  for (const SessionReport& report : reports_) {
    if (report.connected) {
      handler_->OnConnected(peer->id(), report.generation);
    } else {
      handler_->OnDisconnected(peer->id(), report.generation, report.reason);
    }
  }
}

void EventLoop::ServeRoom(OutboundPeer* peer) {
  for (int owed = peer->TakeWritable(); owed > 0; --owed) {
    handler_->OnWritable(peer->id());
  }
}

void EventLoop::ServeInboundMonitor() {
  Rejection rejection;
  while (inbound_->NextRejection(&rejection))
    handler_->OnRejected(std::move(rejection));
}

void EventLoop::ScheduleRedial(int peer) {
  std::uniform_int_distribution<int> delay(kRedialMsMax / 2, kRedialMsMax);
  redials_.emplace(peer,
                   Clock::now() + std::chrono::milliseconds(delay(random_)));
}

void EventLoop::RedialDue() {
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

int EventLoop::WaitMilliseconds() const {
  if (redials_.empty()) return -1;
  Clock::time_point first = Clock::time_point::max();
  for (const auto& [peer, time] : redials_) first = std::min(first, time);
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(first - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

}  // namespace zmq_backend
}  // namespace cluster::internal
