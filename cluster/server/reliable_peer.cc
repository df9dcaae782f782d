#include "cluster/server/reliable_peer.h"

#include <algorithm>
#include <limits>
#include <new>
#include <random>
#include <utility>

#include "absl/base/optimization.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cluster/base/check.h"
#include "cluster/base/clock.h"

namespace cluster::internal {
namespace {

// From the system's own generator: sessions are as hard to guess as this.
std::uint64_t SystemRandom() {
  static thread_local std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace

ReliablePeer::ReliablePeer(const SessionConfig& config, Transport* transport,
                           Inbox* inbox, Callbacks* callbacks,
                           Rejections* rejections, Ticker* ticker)
    : config_(config),
      transport_(transport),
      inbox_(inbox),
      callbacks_(callbacks),
      rejections_(rejections),
      ticker_(ticker),
      queue_(config_) {}

void ReliablePeer::NewSession() {
  SessionSink* const sink = this;  // the base is private
  session_.reset();                // closes the queue
  session_ = std::make_unique<Session>(config_, SystemRandom, sink, &queue_);
  drops_reported_ = 0;
}

// With a new session: its epoch and nonces are of this process too.
void ReliablePeer::Begin(std::uint64_t incarnation) {
  MutexLock lock(&mutex_);
  Touch();
  config_.incarnation = incarnation;
  if (session_ != nullptr) NewSession();
}

void ReliablePeer::Bound(const std::string& address) {
  MutexLock lock(&mutex_);
  Touch();
  config_.address = address;
  if (session_ != nullptr) NewSession();
}

bool ReliablePeer::MayChangeTimes() const {
  MutexLock lock(&mutex_);
  return session_ == nullptr || session_->id() == 0 ||
         (session_->features() & kFeatureLiveTimes) != 0;
}

void ReliablePeer::Take(const SessionLimits& limits) {
  {
    MutexLock lock(&mutex_);
    Touch();
    CopyLiveLimits(limits, &config_);
    queue_.SetLimits(limits);
    if (session_ != nullptr && !left_) {
      session_->Take(limits, MonotonicNow());
      Pump();
    }
  }
  ReportChange();  // there may be room
}

void ReliablePeer::ReportChange() {
  changed_.NotifyAll();
  config_.memory->Changed();
}

absl::Status ReliablePeer::Connect(const std::string& address) {
  MutexLock dial_lock(&dial_mutex_);
  const std::uint64_t generation = DrawGeneration();
  {
    MutexLock lock(&mutex_);
    Touch();
    address_ = address;
    dialled_ = reported_ = MonotonicNow();
  }
  return Dial(address, generation);
}

absl::Status ReliablePeer::Dial(const std::string& address,
                                std::uint64_t generation) {
  absl::Status status = transport_->Connect(id(), address, generation);
  if (!status.ok()) return status;
  MutexLock lock(&mutex_);
  Touch();
  // From here on nothing is heard of the connection before, nor of its end.
  if (!Heard(generation) && session_ != nullptr && session_->connected()) {
    session_->OnRedial();
  }
  Hear(generation);
  return status;
}

void ReliablePeer::Leave() {
  MutexLock lock(&mutex_);
  Touch();
  if (session_ == nullptr) return;
  left_ = true;
  session_->SayGoodbye(GoodbyeReason::kStopped);
  Pump();
  session_->Abandon(DropReason::kStopped);
  lock.Unlock();
  ReportChange();
}

void ReliablePeer::TakeNoMore() {
  queue_.TakeNoMore();
  ReportChange();  // to those who wait for room
}

PeerStats ReliablePeer::Remove() {
  MutexLock dial_lock(&dial_mutex_);
  MutexLock lock(&mutex_);
  Touch();
  if (session_ == nullptr) return retired_;
  session_->SayGoodbye(GoodbyeReason::kRemovedYou);
  Pump();
  PeerEvent event;
  event.type = PeerEvent::kRemoved;
  event.peer = config_.peer_id;
  event.reason = "RemovePeer";
  event.unknown_fate = session_->Abandon(DropReason::kRemoved);
  AddCounters(session_->Stats(), &retired_);
  session_.reset();
  address_.clear();
  watchdog_generation_ = 0;
  Serve(kNobody);
  inbox_->PushEvent(std::move(event));
  const PeerStats counters = retired_;
  lock.Unlock();
  ReportChange();
  return counters;
}

void ReliablePeer::Join(int id, const PeerStats& before) {
  MutexLock dial_lock(&dial_mutex_);
  MutexLock lock(&mutex_);
  Touch();
  config_.peer_id = id;
  retired_ = before;
  retired_.peer = id;
  dialled_ = reported_ = absl::InfinitePast();
  NewSession();
  Serve(id);
}

void ReliablePeer::OnConnected(int id, std::uint64_t generation) {
  MutexLock lock(&mutex_);
  Touch();
  if (!Serves(id) || !Hear(generation)) return;
  reported_ = MonotonicNow();
  if (generation == watchdog_generation_) {
    ++retired_.redials_by_watchdog;
    watchdog_generation_ = 0;
  }
  session_->OnConnected(reported_);
  Pump();
}

void ReliablePeer::OnDisconnected(int id, std::uint64_t generation,
                                  absl::string_view reason) {
  MutexLock lock(&mutex_);
  Touch();
  if (!Serves(id) || !Hear(generation)) return;
  reported_ = MonotonicNow();
  if (generation == watchdog_generation_) watchdog_generation_ = 0;
  session_->OnDisconnected(reason, reported_);
}

void ReliablePeer::OnRefused(int id, std::uint64_t generation) {
  MutexLock lock(&mutex_);
  Touch();
  if (Serves(id) && Hear(generation)) session_->OnRefused(MonotonicNow());
}

void ReliablePeer::OnWritable(int id) {
  MutexLock lock(&mutex_);
  Touch();
  if (!Serves(id)) return;
  session_->OnWritable();
  Pump();
}

bool ReliablePeer::OnFrame(const FrameHeader& header, Slice body,
                           bool* may_pump, const FrameSource* source) {
  MutexLock lock(&mutex_);
  const bool idle = Idle();
  if (!idle) Touch();
  if (!Serves(static_cast<int>(header.sender_id))) return false;
  *may_pump = false;
  if (left_) return true;  // it knows no more of what it has sent
  session_->OnFrame(header, std::move(body), MonotonicNow(), source);
  *may_pump = session_->Due();
  if (idle) Rest();  // a heartbeat wakes nobody
  lock.Unlock();
  ReportChange();
  inbox_->WakeReader();
  return true;
}

bool ReliablePeer::OnForeignVersion(const FrameHeader& header) {
  {
    MutexLock lock(&mutex_);
    Touch();
    if (!Serves(static_cast<int>(header.sender_id))) return false;
    if (left_) return true;
    session_->OnForeignVersion(header, MonotonicNow());
    Pump();
  }
  callbacks_->Wake();
  return true;
}

void ReliablePeer::OnDrained() {
  MutexLock lock(&mutex_);
  const bool idle = Idle();
  if (!idle) Touch();
  if (session_ == nullptr) return;
  Pump();
  if (idle) Rest();
  // The frames that left made room in the queue.
  lock.Unlock();
  ReportChange();
}

void ReliablePeer::Rest() {
  if (session_->Busy() || tick_wanted_) return Touch();
  absl::Time until = session_->IdleUntil();
  if (!session_->connected()) until = std::min(until, reported_ + SilenceMax());
  queue_.SetIdle();
  idle_until_ns_.store(absl::ToUnixNanos(until), std::memory_order_relaxed);
}

absl::Time ReliablePeer::Tick(absl::Time now) {
  const auto idle_until = [this] {
    return absl::FromUnixNanos(std::min(
        idle_until_ns_.load(std::memory_order_relaxed), queue_.expires_ns()));
  };
  if (now < idle_until()) return idle_until();
  bool redial = false;
  bool by_watchdog = false;
  bool pushed = false;
  {
    MutexLock lock(&mutex_);
    if (session_ == nullptr) {
      // Until Join.
      idle_until_ns_.store(std::numeric_limits<std::int64_t>::max(),
                           std::memory_order_relaxed);
      return absl::InfiniteFuture();
    }
    pushed_ = tick_wanted_ = false;
    OrAtNextTick([&] {
      mutex_.AssertHeld();
      session_->Tick(now);
    });
    Pump();
    Rest();
    pushed = pushed_;
    // The transport believes in a connection on which nobody answers: it may be
    // half-open.
    if (session_->connected() && !session_->peer_answers() &&
        now - dialled_ > config_.peer_timeout) {
      redial = true;
      dialled_ = now;
    }
    // The transport neither has a connection nor says that it tries.
    if (!session_->connected() && !address_.empty() && !left_ &&
        now - reported_ > SilenceMax()) {
      redial = by_watchdog = true;
      dialled_ = reported_ = now;
    }
    lock.Unlock();
    ReportChange();
  }
  if (pushed) callbacks_->Wake();
  if (redial) Redial(by_watchdog);
  return idle_until();
}

void ReliablePeer::Redial(bool by_watchdog) {
  MutexLock dial_lock(&dial_mutex_);
  std::string address;
  const std::uint64_t generation = DrawGeneration();
  {
    MutexLock lock(&mutex_);
    // Removed since, or its connection came.
    if (address_.empty() || (by_watchdog && session_->connected())) return;
    address = address_;
    if (by_watchdog) watchdog_generation_ = generation;
  }
  // The address was good when it was given, and what fails is tried again.
  Dial(address, generation).IgnoreError();
}

// Longer than any transport takes to report an attempt: as long as a handshake,
// and a second of delay.
absl::Duration ReliablePeer::SilenceMax() const {
  return std::max({3 * config_.peer_timeout, 3 * config_.handshake_timeout,
                   absl::Seconds(3)});
}

PeerStats ReliablePeer::Stats() const {
  MutexLock lock(&mutex_);
  if (session_ == nullptr) return retired_;
  PeerStats stats = session_->Stats();
  stats.address = address_;
  AddCounters(retired_, &stats);
  const absl::Duration ahead = absl::Now() - MonotonicNow();
  stats.last_trouble_at += ahead;
  stats.since += ahead;
  return stats;
}

bool ReliablePeer::Probe(int id) {
  MutexLock lock(&mutex_);
  Touch();
  if (!Serves(id)) return false;
  session_->Probe(MonotonicNow());
  Pump();
  return true;
}

void ReliablePeer::OnConsumed(const Arrival& arrival) {
  bool pushed = false;
  {
    MutexLock lock(&mutex_);
    Touch();
    if (!Serves(arrival.sender)) return;
    pushed_ = false;
    session_->Consumed(arrival.session, arrival.sequence);
    pushed = pushed_;
    if (session_->Due()) Pump();
  }
  if (pushed) callbacks_->Wake();
}

// The reader has dropped the records, and may be any thread of the application.
// So either the session ends here, or the process.
void ReliablePeer::OnBadRecords(const Arrival& arrival, RefusalReason reason,
                                absl::string_view text) {
  OrEndProcess("ending a session",
               [&] { RejectRecords(arrival, reason, text); });
}

void ReliablePeer::RejectRecords(const Arrival& arrival, RefusalReason reason,
                                 absl::string_view text) {
  {
    MutexLock lock(&mutex_);
    Touch();
    // The peer was removed while its frame was on its way through the server.
    if (!Serves(arrival.sender)) return rejections_->Count(reason);
    session_->RejectRecords(arrival.session, reason, text);
    Pump();
  }
  if (reason == RefusalReason::kWrongIdentity) {
    rejections_->Report(
        reason, arrival.sender,
        [&] { return absl::StrCat("server ", arrival.sender, " sent ", text); },
        MonotonicNow());
  }
  callbacks_->Wake();
}

void ReliablePeer::OnArrival(Arrival arrival) {
  mutex_.AssertHeld();
  pushed_ = true;
  inbox_->Push(this, std::move(arrival));
}

void ReliablePeer::OnSessionEvent(PeerEvent event) {
  mutex_.AssertHeld();
  pushed_ = true;
  inbox_->PushEvent(std::move(event));
}

SendOutcome ReliablePeer::Send(int id, const EnvelopeView& envelope) {
  const Appended appended = queue_.Append(id, envelope);
  if (ABSL_PREDICT_FALSE(appended.wanted)) Transmit();
  return appended.outcome;
}

SendOutcome ReliablePeer::SendWith(int id, const EnvelopeView& envelope,
                                   const SendConditions& conditions) {
  if (conditions.only_if_up) {
    MutexLock lock(&mutex_);
    if (!Serves(id)) return SendOutcome::kRemoved;
    if (!Up(id)) return SendOutcome::kDown;
  }
  const PayloadSource& payload = conditions.payload;
  const bool any = conditions.record.any();
  if (!any && payload.plain()) return Send(id, envelope);
  RecordOptions options = conditions.record;
  Inbox::FatePlace place(options.fates == nullptr ? nullptr : inbox_);
  if (!place.there()) return SendOutcome::kTooManyFates;
  options.message_id = envelope.message_id;
  options.pid = id;
  const Appended appended =
      queue_.AppendFrom(id, envelope, any ? &options : nullptr, payload);
  if (appended.outcome == SendOutcome::kAccepted) {
    place.Accepted();
    ticker_->Wake();  // it may expire
  }
  if (appended.wanted) Transmit();
  return appended.outcome;
}

bool ReliablePeer::Withdraw(int id, Lane lane, std::uint64_t group,
                            std::uint64_t replaces) {
  if (!queue_.Withdraw(id, lane, group, replaces)) return false;
  Transmit();
  return true;
}

SendOutcome ReliablePeer::SendLarge(int id, const EnvelopeView& envelope,
                                    absl::optional<Batch>* encoded) {
  const Appended appended = queue_.AppendLarge(id, envelope, encoded);
  if (appended.wanted) Transmit();
  return appended.outcome;
}

void ReliablePeer::SendShared(const Batch& batch, const EncodeState& encode) {
  if (queue_.AppendShared(batch, encode)) Transmit();
}

// The queue has what the session waits for.
void ReliablePeer::Transmit() {
  MutexLock lock(&mutex_);
  Touch();
  if (session_ != nullptr && !left_) Pump();
}

// Ends when there is no next frame, so that the queue knows what the session
// waits for; or when the transport takes no more.
void ReliablePeer::Pump() {
  OrAtNextTick([this] {
    mutex_.AssertHeld();
    const absl::Time now = MonotonicNow();
    Frame frame;
    while (session_->NextFrame(now, &frame) && GiveToTransport(frame) &&
           session_->Due()) {
    }
  });
  ReportDrops();
}

// False: it did not take it, and says when it may.
bool ReliablePeer::GiveToTransport(const Frame& frame) {
  try {
    if (transport_->Send(config_.peer_id, frame) == SendResult::kSent)
      return true;
  } catch (const std::bad_alloc&) {
    session_->FrameNotTaken();
    session_->OnWritable();  // the transport does not say so
    throw;
  }
  session_->FrameNotTaken();
  return false;
}

void ReliablePeer::ReportDrops() {
  if (waiters_ == 0) return;
  const std::uint64_t dropped = queue_.dropped();
  if (std::exchange(drops_reported_, dropped) != dropped) changed_.NotifyAll();
}

template <typename Predicate>
bool ReliablePeer::WaitUntil(std::chrono::steady_clock::time_point deadline,
                             Predicate predicate) {
  MutexLock lock(&mutex_);
  ++waiters_;
  const bool done = changed_.WaitUntil(&mutex_, deadline, predicate);
  --waiters_;
  return done;
}

bool ReliablePeer::WaitForRoom(int id, const EnvelopeView& envelope,
                               const SendConditions* conditions,
                               std::chrono::steady_clock::time_point deadline) {
  // Small pieces wait as an envelope with options does.
  const bool with_options =
      conditions != nullptr &&
      (conditions->record.any() || !conditions->payload.pieces.empty());
  const bool only_if_up = conditions != nullptr && conditions->only_if_up;
  SendOutcome outcome = SendOutcome::kFull;
  const auto done = [&] {
    mutex_.AssertHeld();
    outcome = queue_.MayAppend(id, envelope, with_options);
    return outcome != SendOutcome::kFull || (only_if_up && !Up(id));
  };
  if (!WaitUntil(deadline, done)) return false;
  // Any peer that gives memory back makes room.
  return config_.memory->WaitUntil(deadline, [&] {
    if (queue_.MayAppend(id, envelope, with_options) != SendOutcome::kNoMemory)
      return true;
    if (!only_if_up) return false;
    MutexLock lock(&mutex_);
    return !Up(id);
  });
}

SendMark ReliablePeer::BeginFlush(int id) {
  MutexLock lock(&mutex_);
  Touch();
  if (!Serves(id)) return {};
  const SendMark mark = queue_.Mark();
  if (!session_->Settled(mark)) {
    session_->RequestConsumed();
    Pump();
  }
  return mark;
}

bool ReliablePeer::WaitFlushed(const SendMark& mark,
                               std::chrono::steady_clock::time_point deadline) {
  return WaitUntil(deadline, [&] {
    mutex_.AssertHeld();
    return session_ == nullptr || session_->Settled(mark);
  });
}

bool ReliablePeer::WaitReceived(
    std::chrono::steady_clock::time_point deadline) {
  return WaitUntil(deadline, [this] {
    mutex_.AssertHeld();
    // One that was there and went will hardly come back in time; one that was
    // not there yet may be about to.
    return session_ == nullptr || session_->AllReceived() ||
           (!session_->peer_answers() && session_->id() != 0);
  });
}

}  // namespace cluster::internal
