// The part of Outbound that makes connections: when to dial, and what becomes
// of an attempt.

#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/nng/endpoint.h"
#include "cluster/transport/nng/outbound.h"

namespace cluster {
namespace nng {
namespace {

// nng puts freeing off to a thread of its own, so this is allowed in a
// callback.
void Discard(nng_stream* stream) {
  nng_stream_close(stream);
  nng_stream_free(stream);
}

}  // namespace

absl::optional<Clock::time_point> Outbound::Tend(Clock::time_point now) {
  Lock lock(mutex_);
  if (parting_ && IsTold()) {
    if (now < part_at_) return part_at_;
    parting_ = false;
    stream::FrameQueue
        dropped;  // after the lock: the last shares may go with it
    std::swap(dropped, queue_);
    const std::shared_ptr<OutboundConnection> connection = connection_;
    lock.unlock();
    if (connection != nullptr) connection->Close();
    return absl::nullopt;
  }
  if (gone_) return absl::nullopt;
  if (state_ == State::kWaiting) {
    if (now < dial_at_) return dial_at_;
    const Clock::time_point deadline = now + context_.dial_timeout;
    dial_deadline_ = deadline;
    StartDial(std::move(lock));
    return deadline;
  }
  if (state_ != State::kDialling && state_ != State::kGreeting) {
    return Clock::time_point::max();
  }
  if (now < dial_deadline_) return dial_deadline_;
  const std::shared_ptr<Dial> dial = dial_;
  const std::shared_ptr<OutboundConnection> connection = connection_;
  if (loss_.error == 0) loss_.error = NNG_ETIMEDOUT;
  lock.unlock();
  if (dial != nullptr) dial->Close();
  if (connection != nullptr) connection->Close();
  return Clock::time_point::max();
}

absl::Status Outbound::CheckKnown() const {
  if (context_.admission == nullptr ||
      context_.admission->material()->Knows(peer_)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("connect to ", ToString(address_), ": server ", peer_,
                   " is not among the peers of \"security\""));
}

void Outbound::StartDial(Lock lock) {
  attempt_generation_ = generation_;
  nng_stream_dialer* dialer = nullptr;
  absl::Status status = CheckKnown();
  if (status.ok()) {
    status = OpenDialer(address_, backoff_.NextAttempt(), &dialer);
  }
  if (!status.ok()) {
    const Clock::duration delay = backoff_.NextDelay();
    Retry(std::move(lock), std::string(status.message()), delay);
    return;
  }
  const auto dial = std::make_shared<Dial>(
      context_.caretaker, shared_from_this(), address_, dialer);
  state_ = State::kDialling;
  dial_ = dial;
  lock.unlock();
  context_.caretaker->Add(dial);
  dial->Start();
}

void Outbound::OnDialled(const Dial* dial, absl::StatusOr<nng_stream*> stream) {
  Lock lock(mutex_);
  if (gone_ || dial_.get() != dial) {
    lock.unlock();
    if (stream.ok()) Discard(*stream);
    return;
  }
  const std::shared_ptr<Dial> finished = std::move(dial_);
  dial_ = nullptr;
  if (stream.ok()) {
    Greet(std::move(lock), *stream);
    return;
  }
  const std::string reason =
      finished->closed() ? absl::StrCat("connect to ", ToString(address_),
                                        ": no answer within the time allowed")
                         : std::string(stream.status().message());
  const Clock::duration delay = backoff_.NextDelay();
  Retry(std::move(lock), reason, delay);
}

void Outbound::Greet(Lock lock, nng_stream* stream) {
  std::unique_ptr<stream::TlsSession> tls;
  if (context_.admission != nullptr) {
    tls = absl::make_unique<stream::TlsSession>(
        context_.admission->material(), stream::TlsSession::Role::kDialler,
        context_.pool, peer_);
  }
  const auto connection = std::make_shared<OutboundConnection>(
      context_.caretaker, stream, context_.pool, std::move(tls),
      shared_from_this());
  connection_ = connection;
  state_ = State::kGreeting;
  dial_deadline_ = Clock::now() + context_.dial_timeout;
  loss_ = Loss();
  reading_ = true;
  lock.unlock();
  // Which wakes it, for the deadline too.
  context_.caretaker->Add(connection);
  connection->Greet();
}

void Outbound::OnAccepted(OutboundConnection* connection,
                          const std::string& certificate) {
  Lock lock(mutex_);
  if (gone_ || state_ != State::kGreeting) return;
  certificate_ = certificate;
  if (context_.admission != nullptr &&
      !IsPinned(*context_.admission->material())) {
    lock.unlock();
    connection->Close();
    return;
  }
  state_ = State::kAnnouncing;
  announcing_ = true;
  const std::uint64_t generation = attempt_generation_;
  lock.unlock();
  // Before its loss can be told.
  context_.handler->OnConnected(peer_, generation);
  lock.lock();
  announcing_ = false;
  if (LossIsOver()) {
    FinishLoss(std::move(lock));
    return;
  }
  if (state_ == State::kLosing) return;
  connected_at_ = Clock::now();
  accepted_ = true;
  state_ = State::kConnected;
  WriteNext(std::move(lock));
}

void Outbound::Retry(Lock lock, const std::string& reason,
                     Clock::duration delay) {
  if (gone_) return;
  // Not waiting yet: the next OnConnected must not overtake this.
  state_ = State::kLosing;
  const std::uint64_t generation = attempt_generation_;
  lock.unlock();
  context_.handler->OnDisconnected(peer_, generation, reason);
  lock.lock();
  state_ = State::kWaiting;
  dial_at_ = Clock::now() + (address_changed_ ? Clock::duration{} : delay);
  address_changed_ = false;
  lock.unlock();
  context_.caretaker->Wake();
}

}  // namespace nng
}  // namespace cluster
