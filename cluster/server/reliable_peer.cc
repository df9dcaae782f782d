#include "cluster/server/reliable_peer.h"

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/link/large_record.h"
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
      transport_(transport),
      inbox_(inbox),
      callbacks_(callbacks),
      rejections_(rejections) {
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

void ReliablePeer::Pump() {
  if (!link_->MayTransmit()) return;
  const absl::Time now = MonotonicNow();
  Frame frame;
  while (link_->NextFrame(now, &frame)) {
    if (transport_->Send(config_.peer_id, frame) ==
        SendResult::kBackPressured) {
      link_->FrameNotTaken();
      return;
    }
  }
}

// And tells those who wait for a change, after it: they would wake up to wait
// for the lock.
void ReliablePeer::Release(std::unique_lock<std::mutex> lock) {
  const bool awaited = waiters_ > 0;
  lock.unlock();
  if (awaited) changed_.notify_all();
}

template <typename Predicate>
bool ReliablePeer::WaitUntil(std::chrono::steady_clock::time_point deadline,
                             Predicate predicate) {
  std::unique_lock<std::mutex> lock(mutex_);
  ++waiters_;
  const bool done = changed_.wait_until(lock, deadline, predicate);
  --waiters_;
  return done;
}

SendOutcome ReliablePeer::Send(const EnvelopeView& envelope) {
  if (envelope.payload.size() > LoneBytes(config_.frame_bytes)) {
    return SendEncoded(envelope,
                       [&] { return EncodeLarge(config_, envelope); });
  }
  const std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr || left_) return SendOutcome::kRemoved;
  return Settle(link_->Append(envelope), envelope.lane);
}

// Encodes without the lock: acknowledgements and urgent envelopes do not wait
// for it.
template <typename Encode>
SendOutcome ReliablePeer::SendEncoded(const EnvelopeView& envelope,
                                      Encode encode) {
  std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr || left_) return SendOutcome::kRemoved;
  const AppendResult may = link_->MayAppend(envelope);
  if (may != AppendResult::kAccepted) return Settle(may, envelope.lane);
  lock.unlock();
  Batch batch = encode();
  lock.lock();
  if (link_ == nullptr || left_) return SendOutcome::kRemoved;
  return Settle(link_->AppendEncoded(std::move(batch)), envelope.lane);
}

SendOutcome ReliablePeer::SendLarge(const EnvelopeView& envelope,
                                    absl::optional<Batch>* encoded) {
  return SendEncoded(envelope, [&] {
    if (!*encoded) *encoded = EncodeLarge(config_, envelope, /*shared=*/true);
    return **encoded;
  });
}

bool ReliablePeer::Gathers(Lane lane, std::size_t bytes) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return link_ == nullptr || left_ || link_->Gathers(lane, bytes);
}

void ReliablePeer::SendShared(const Batch& batch, const EncodeState& encode) {
  const std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr || left_) return;
  link_->AppendShared(batch, encode);
  if (link_->MayTransmit(batch.lane)) Pump();
}

SendOutcome ReliablePeer::Settle(AppendResult result, Lane lane) {
  switch (result) {
    case AppendResult::kAccepted:
      if (link_->MayTransmit(lane)) Pump();
      return SendOutcome::kAccepted;
    case AppendResult::kFull:
      return SendOutcome::kFull;
    case AppendResult::kTooLarge:
      return SendOutcome::kTooLarge;
  }
  return SendOutcome::kFull;
}

bool ReliablePeer::WaitForRoom(const EnvelopeView& envelope,
                               std::chrono::steady_clock::time_point deadline) {
  return WaitUntil(
      deadline, [&] { return link_ == nullptr || link_->HasRoom(envelope); });
}

bool ReliablePeer::WaitDrained(std::chrono::steady_clock::time_point deadline) {
  {
    const std::unique_lock<std::mutex> lock = Touch();
    if (link_ == nullptr || link_->Drained()) return true;
    link_->RequestConsumed();
    Pump();
  }
  return WaitUntil(deadline,
                   [this] { return link_ == nullptr || link_->Drained(); });
}

bool ReliablePeer::WaitReceived(
    std::chrono::steady_clock::time_point deadline) {
  return WaitUntil(deadline, [this] {
    // One that was there and went will hardly come back in time; one that was
    // not there yet may be about to.
    return link_ == nullptr || link_->AllReceived() ||
           (!link_->up() && link_->session() != 0);
  });
}

absl::Status ReliablePeer::Connect(const std::string& address) {
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
  link_->SayGoodbye();
  Pump();
  link_->Abandon(DropReason::kStopped);
  left_ = true;
  Release(std::move(lock));
}

void ReliablePeer::Remove() {
  std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr) return;
  link_->SayGoodbye();
  Pump();
  PeerEvent event;
  event.type = PeerEvent::kRemoved;
  event.peer = config_.peer_id;
  event.reason = "RemovePeer";
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

bool ReliablePeer::OnFrame(const FrameHeader& header, Slice body) {
  std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr) {
    CountRetired(RefusalReason::kUnknownSender);
    return false;
  }
  link_->OnFrame(header, std::move(body), MonotonicNow());
  const bool may_transmit = link_->MayTransmit();
  Release(std::move(lock));
  inbox_->WakeReader();
  return may_transmit;
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
  std::string redial;
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
      redial = address_;
      dialled_ = now;
    }
    Release(std::move(lock));
  }
  if (event) callbacks_->Wake();
  // The address was good when it was given, and the transport dials again by
  // itself.
  if (!redial.empty())
    transport_->Connect(config_.peer_id, redial).IgnoreError();
  return busy;
}

PeerStats ReliablePeer::Stats() const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (link_ == nullptr) return retired_;
  PeerStats stats = link_->Stats();
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
  if (reason != RefusalReason::kWrongIdentity) return;
  rejections_->Report(reason, config_.peer_id,
                      absl::StrCat("server ", config_.peer_id, " sent ", text),
                      MonotonicNow());
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
