#include "cluster/server/reliable_peer.h"

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/server/clock.h"

namespace cluster {
namespace {

// From the system's own generator: sessions are as hard to guess as this.
std::uint64_t SystemRandom() {
  static thread_local std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace

void AddCounters(const PeerStats& more, PeerStats* total) {
  total->sessions += more.sessions;
  total->accepted += more.accepted;
  total->acknowledged += more.acknowledged;
  for (std::size_t i = 0; i < more.dropped.size(); ++i)
    total->dropped[i] += more.dropped[i];
  total->frames_sent += more.frames_sent;
  total->frames_retransmitted += more.frames_retransmitted;
  total->bytes_sent += more.bytes_sent;
  total->received += more.received;
  total->frames_received += more.frames_received;
  total->bytes_received += more.bytes_received;
  for (std::size_t i = 0; i < more.refused.size(); ++i)
    total->refused[i] += more.refused[i];
}

ReliablePeer::ReliablePeer(const LinkConfig& config, Transport* transport,
                           Inbox* inbox, Callbacks* callbacks,
                           Rejections* rejections)
    : config_(config),
      batch_bytes_(BatchBytes(config)),
      transport_(transport),
      inbox_(inbox),
      callbacks_(callbacks),
      rejections_(rejections),
      staged_(config_, kGatheringLane),
      staging_(config_) {
  retired_.peer = config.peer_id;
  NewLink();
}

void ReliablePeer::NewLink() {
  LinkSink* const sink = this;  // the base is private
  link_ = std::make_unique<Link>(config_, SystemRandom, sink);
}

// For all that may give the link something to do in time.
std::unique_lock<std::mutex> ReliablePeer::Touch() {
  std::unique_lock<std::mutex> lock(mutex_);
  idle_until_ns_.store(kNotIdle, std::memory_order_relaxed);
  return lock;
}

// And tells those who wait for a change, after it: they would wake up to wait
// for the lock.
void ReliablePeer::Release(std::unique_lock<std::mutex> lock) {
  const bool awaited = waiters_ > 0;
  lock.unlock();
  if (awaited) changed_.notify_all();
}

absl::Status ReliablePeer::Connect(const std::string& address) {
  std::lock_guard<std::mutex> dial(dial_);
  {
    const std::unique_lock<std::mutex> lock = Touch();
    address_ = address;
    dialled_ = MonotonicNow();
  }
  return transport_->Connect(config_.peer_id, address);
}

void ReliablePeer::Leave() {
  std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr) return;
  left_ = true;
  link_->SayGoodbye();
  Pump();
  link_->Abandon(DropReason::kStopped);
  Release(std::move(lock));
}

void ReliablePeer::Remove() {
  std::lock_guard<std::mutex> dial(dial_);
  std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr) return;
  link_->SayGoodbye();
  Pump();
  PeerEvent event;
  event.type = PeerEvent::kRemoved;
  event.peer = config_.peer_id;
  event.reason = "RemovePeer";
  CloseStaging();
  event.unknown_fate = link_->Abandon(DropReason::kRemoved);
  AddCounters(link_->Stats(), &retired_);
  link_.reset();
  address_.clear();
  callbacks_->PushEvent(std::move(event));
  Release(std::move(lock));
}

void ReliablePeer::Restore() {
  const std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr) NewLink();
}

bool ReliablePeer::removed() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return link_ == nullptr;
}

void ReliablePeer::OnConnected() {
  const std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr) return;
  link_->OnConnected(MonotonicNow());
  Pump();
}

void ReliablePeer::OnDisconnected(absl::string_view reason) {
  const std::unique_lock<std::mutex> lock = Touch();
  if (link_ != nullptr) link_->OnDisconnected(reason);
}

void ReliablePeer::OnWritable() {
  const std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr) return;
  link_->OnWritable();
  Pump();
}

bool ReliablePeer::OnFrame(const FrameHeader& header, Slice body,
                           bool* may_pump) {
  std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr) return false;
  *may_pump = false;
  if (left_) return true;  // it knows no more of what it has sent
  link_->OnFrame(header, std::move(body), MonotonicNow());
  *may_pump = MayPump();
  Release(std::move(lock));
  inbox_->WakeReader();
  return true;
}

void ReliablePeer::CountRefusal(RefusalReason reason,
                                absl::string_view trouble) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (link_ == nullptr) return CountRetired(reason);
  link_->CountRefusal(reason, trouble);
}

// The peer was removed while its frame was on its way through the server.
void ReliablePeer::CountRetired(RefusalReason reason) {
  ++retired_.refused[static_cast<std::size_t>(reason)];
}

void ReliablePeer::OnDrained() {
  std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr) return;
  Pump();
  // What left made room in the queue.
  Release(std::move(lock));
}

bool ReliablePeer::Tick(absl::Time now) {
  if (absl::ToUnixNanos(now) < idle_until_ns_.load(std::memory_order_relaxed))
    return false;
  bool redial = false;
  bool busy = false;
  bool event = false;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (link_ == nullptr) return false;
    event_pushed_ = false;
    link_->Tick(now);
    Pump();
    busy = link_->Busy();
    if (!busy) {
      idle_until_ns_.store(absl::ToUnixNanos(link_->IdleUntil()),
                           std::memory_order_relaxed);
    }
    event = event_pushed_;
    // The transport believes in a connection on which nobody answers: it may be
    // half-open.
    if (link_->connected() && !link_->up() &&
        now - dialled_ > config_.peer_timeout) {
      redial = true;
      dialled_ = now;
    }
    Release(std::move(lock));
  }
  if (event) callbacks_->Wake();
  if (redial) Redial();
  return busy;
}

void ReliablePeer::Redial() {
  std::lock_guard<std::mutex> dial(dial_);
  std::string address;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    address = address_;
  }
  // The address was good when it was given, and the transport dials again by
  // itself.
  if (!address.empty())
    transport_->Connect(config_.peer_id, address).IgnoreError();
}

PeerStats ReliablePeer::Stats() const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (link_ == nullptr) return retired_;
  PeerStats stats = link_->Stats();
  staging_.AddTo(&stats);
  AddCounters(retired_, &stats);
  return stats;
}

void ReliablePeer::OnConsumed(const Arrival& arrival) {
  const std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr) return;
  link_->Consumed(arrival.session, arrival.sequence);
  Pump();
}

void ReliablePeer::OnBadRecords(const Arrival& arrival, RefusalReason reason,
                                absl::string_view text) {
  {
    const std::unique_lock<std::mutex> lock = Touch();
    if (link_ == nullptr) return CountRetired(reason);
    link_->RejectRecords(arrival.session, reason, text);
    Pump();
  }
  if (reason == RefusalReason::kWrongIdentity) {
    rejections_->Report(
        reason, config_.peer_id,
        absl::StrCat("server ", config_.peer_id, " sent ", text),
        MonotonicNow());
  }
  callbacks_->Wake();
}

void ReliablePeer::OnArrival(Arrival arrival) {
  inbox_->Push(this, std::move(arrival));
}

void ReliablePeer::OnLinkEvent(PeerEvent event) {
  event_pushed_ = true;
  callbacks_->PushEvent(std::move(event));
}

}  // namespace cluster
