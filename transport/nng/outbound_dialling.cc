// The part of Outbound that makes connections: when to dial, and what becomes
// of an attempt.

#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/nng/endpoint.h"
#include "transport/nng/outbound.h"

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
    FrameQueue dropped;  // after the lock: the last shares may go with it
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
  if (state_ != State::kDialling && state_ != State::kProving) {
    return Clock::time_point::max();
  }
  if (now < dial_deadline_) return dial_deadline_;
  const std::shared_ptr<Dial> dial = dial_;
  const std::shared_ptr<OutboundConnection> connection = connection_;
  if (loss_error_ == 0) loss_error_ = NNG_ETIMEDOUT;
  lock.unlock();
  if (dial != nullptr) dial->Close();
  if (connection != nullptr) connection->Close();
  return Clock::time_point::max();
}

absl::Status Outbound::OpenNext(nng_stream_dialer** dialer) {
  if (context_.authenticator == nullptr) {
    return OpenDialer(address_, backoff_.NextAttempt(), nullptr, dialer);
  }
  const auto material = context_.authenticator->material();
  nng_tls_config* const tls = material->dialer(peer_);
  if (tls == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("connect to ", ToString(address_), ": server ", peer_,
                     " is not among the peers of \"security\""));
  }
  return OpenDialer(address_, backoff_.NextAttempt(), tls, dialer);
}

void Outbound::StartDial(Lock lock) {
  attempt_generation_ = generation_;
  nng_stream_dialer* dialer = nullptr;
  const absl::Status status = OpenNext(&dialer);
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
    if (context_.authenticator == nullptr) {
      Announce(std::move(lock), *stream);
    } else {
      BeginProof(std::move(lock), *stream);
    }
    return;
  }
  const std::string reason =
      finished->closed() ? absl::StrCat("connect to ", ToString(address_),
                                        ": no answer within the time allowed")
                         : std::string(stream.status().message());
  const Clock::duration delay = backoff_.NextDelay();
  Retry(std::move(lock), reason, delay);
}

void Outbound::Announce(Lock lock, nng_stream* stream) {
  state_ = State::kAnnouncing;
  const std::uint64_t generation = attempt_generation_;
  lock.unlock();
  // Before the connection is used, so that its loss cannot be told earlier.
  context_.handler->OnConnected(peer_, generation);
  const auto connection = std::make_shared<OutboundConnection>(
      context_.caretaker, stream, shared_from_this());
  context_.caretaker->Add(connection);
  connection->batch()->AddPreamble();
  lock.lock();
  // Disconnect did not see the connection; SetAddress counts on its loss.
  const bool unwanted = (gone_ && !parting_) || address_changed_;
  connection_ = connection;
  connected_at_ = Clock::now();
  state_ = State::kConnected;
  loss_error_ = 0;
  reading_ = true;
  writing_ = true;
  if (!unwanted) connection->batch()->Fill(&queue_);
  const std::size_t owed = TakeOwed();
  lock.unlock();
  if (unwanted) connection->Close();
  connection->WatchEnd();
  connection->Write();
  TellWritable(owed);
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
