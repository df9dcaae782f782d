#include "transport/nng/outbound.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/nng/endpoint.h"

namespace cluster {
namespace nng {
namespace {

constexpr std::chrono::milliseconds kDelayMin{20};
constexpr std::chrono::milliseconds kDelayMax{1000};

// A connection that lived shorter may have been refused by its listener, which
// says so by closing it: then the delay goes on growing.
constexpr std::chrono::milliseconds kProvenLife{200};

// nng puts freeing off to a thread of its own, so this is allowed in a
// callback.
void Discard(nng_stream* stream) {
  nng_stream_close(stream);
  nng_stream_free(stream);
}

std::string LossText(const Address& address, int error) {
  return absl::StrCat("connection to ", ToString(address), " lost: ",
                      error == NNG_EPROTO
                          ? "it sends bytes, so nobody of this library listens"
                          : nng_strerror(error));
}

}  // namespace

Outbound::Outbound(const OutboundContext& context, int peer, Address address)
    : context_(context),
      peer_(peer),
      address_(std::move(address)),
      dial_at_(Clock::now()),
      delay_(kDelayMin),
      random_(std::random_device()()) {}

void Outbound::SetAddress(Address address) {
  std::shared_ptr<Dial> dial;
  std::shared_ptr<OutboundConnection> connection;
  {
    Lock lock(mutex_);
    address_ = std::move(address);
    delay_ = kDelayMin;
    attempt_ = 0;
    if (state_ == State::kDialling) {
      dial = std::move(dial_);
      state_ = State::kWaiting;
    }
    dial_at_ = Clock::now();
    address_changed_ = state_ != State::kWaiting;
    connection = connection_;
  }
  if (dial != nullptr) dial->Close();
  if (connection != nullptr) connection->Close();
  context_.caretaker->Wake();
}

SendResult Outbound::Send(const Frame& frame) {
  Lock lock(mutex_);
  if (gone_) return SendResult::kSent;
  if (!queue_.empty() &&
      queue_.bytes() + frame.size() > context_.queue_bytes_max) {
    ++writable_owed_;
    return SendResult::kBackPressured;
  }
  queue_.PushBack(frame);
  if (state_ != State::kConnected || writing_) return SendResult::kSent;
  // When no write is under way the queue was empty, so nobody waits for
  // OnWritable, and nothing is told inline here.
  CLUSTER_CHECK(writable_owed_ == 0, "an idle connection owes OnWritable");
  WriteNext(std::move(lock));
  return SendResult::kSent;
}

void Outbound::WriteNext(Lock lock) {
  const std::shared_ptr<OutboundConnection> connection = connection_;
  connection->batch()->Fill(&queue_);
  writing_ = !connection->batch()->done();
  if (!writing_) {
    sent_.notify_all();
    return;
  }
  const std::size_t owed = TakeOwed();
  lock.unlock();
  connection->Write();
  TellWritable(owed);
}

std::size_t Outbound::TakeOwed() {
  if (queue_.bytes() > context_.queue_bytes_max / 2) return 0;
  return std::exchange(writable_owed_, 0);
}

void Outbound::TellWritable(std::size_t times) {
  for (std::size_t i = 0; i < times; ++i) {
    {
      Lock lock(mutex_);
      if (gone_) return;
    }
    context_.handler->OnWritable(peer_);
  }
}

bool Outbound::WaitUntilSent(Clock::time_point deadline) {
  Lock lock(mutex_);
  return sent_.wait_until(lock, deadline, [this] {
    return gone_ || (queue_.empty() && !writing_);
  });
}

void Outbound::Disconnect() {
  std::shared_ptr<Dial> dial;
  std::shared_ptr<OutboundConnection> connection;
  FrameQueue dropped;  // after the lock: the last shares may go with it
  {
    Lock lock(mutex_);
    gone_ = true;
    writable_owed_ = 0;
    dial = std::move(dial_);
    connection = connection_;
    std::swap(dropped, queue_);
    sent_.notify_all();
  }
  if (dial != nullptr) dial->Close();
  if (connection != nullptr) connection->Close();
  context_.caretaker->Wake();
}

void Outbound::OnWritten(OutboundConnection* connection, int error) {
  if (error == 0) {
    connection->batch()->Clear();
  } else {
    connection->Close();
  }
  Lock lock(mutex_);
  writing_ = false;
  if (error != 0) {
    state_ = State::kLosing;
    if (loss_error_ == 0) loss_error_ = error;
  }
  if (!reading_) {
    FinishLoss(std::move(lock));
  } else if (state_ == State::kConnected) {
    WriteNext(std::move(lock));
  }
}

void Outbound::OnReadEnd(OutboundConnection* connection, int error) {
  connection->Close();
  Lock lock(mutex_);
  reading_ = false;
  state_ = State::kLosing;
  if (loss_error_ == 0) loss_error_ = error;
  if (!writing_) FinishLoss(std::move(lock));
}

void Outbound::FinishLoss(Lock lock) {
  const std::shared_ptr<OutboundConnection> connection = std::move(connection_);
  connection_ = nullptr;
  FrameQueue dropped;
  connection->batch()->ReturnUntouched(gone_ ? &dropped : &queue_);
  if (Clock::now() - connected_at_ > kProvenLife) {
    delay_ = kDelayMin;
    attempt_ = 0;
  }
  const Clock::duration delay = NextDelay();
  const std::string reason = LossText(address_, loss_error_);
  sent_.notify_all();
  lock.unlock();
  connection->batch()->Clear();
  connection->Release();
  lock.lock();
  Retry(std::move(lock), reason, delay);
}

void Outbound::Retry(Lock lock, const std::string& reason,
                     Clock::duration delay) {
  if (gone_) return;
  // Not waiting yet: the next OnConnected must not overtake this.
  state_ = State::kLosing;
  lock.unlock();
  context_.handler->OnDisconnected(peer_, reason);
  lock.lock();
  state_ = State::kWaiting;
  dial_at_ = Clock::now() + (address_changed_ ? Clock::duration{} : delay);
  address_changed_ = false;
  lock.unlock();
  context_.caretaker->Wake();
}

Clock::duration Outbound::NextDelay() {
  const auto most = std::chrono::duration_cast<std::chrono::microseconds>(
      std::exchange(delay_, std::min<Clock::duration>(2 * delay_, kDelayMax)));
  // Jitter, so that a returning server is not dialled by all at once.
  std::uniform_int_distribution<std::int64_t> delay_us(most.count() / 2,
                                                       most.count());
  return std::chrono::microseconds(delay_us(random_));
}

absl::optional<Clock::time_point> Outbound::Tend(Clock::time_point now) {
  Lock lock(mutex_);
  if (gone_) return absl::nullopt;
  if (state_ == State::kWaiting) {
    if (now < dial_at_) return dial_at_;
    const Clock::time_point deadline = now + context_.dial_timeout;
    dial_deadline_ = deadline;
    StartDial(std::move(lock));
    return deadline;
  }
  if (state_ != State::kDialling) return Clock::time_point::max();
  if (now < dial_deadline_) return dial_deadline_;
  const std::shared_ptr<Dial> dial = dial_;
  lock.unlock();
  dial->Close();
  return Clock::time_point::max();
}

void Outbound::StartDial(Lock lock) {
  nng_stream_dialer* dialer = nullptr;
  const absl::Status status = OpenDialer(address_, attempt_++, &dialer);
  if (!status.ok()) {
    const Clock::duration delay = NextDelay();
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
    Announce(std::move(lock), *stream);
    return;
  }
  const std::string reason =
      finished->closed() ? absl::StrCat("connect to ", ToString(address_),
                                        ": no answer within the time allowed")
                         : std::string(stream.status().message());
  const Clock::duration delay = NextDelay();
  Retry(std::move(lock), reason, delay);
}

void Outbound::Announce(Lock lock, nng_stream* stream) {
  state_ = State::kAnnouncing;
  lock.unlock();
  // Before the connection is used, so that its loss cannot be told earlier.
  context_.handler->OnConnected(peer_);
  const auto connection = std::make_shared<OutboundConnection>(
      context_.caretaker, stream, shared_from_this());
  context_.caretaker->Add(connection);
  connection->batch()->AddPreamble();
  lock.lock();
  // Disconnect did not see the connection; SetAddress counts on its loss.
  const bool unwanted = gone_ || address_changed_;
  connection_ = connection;
  connected_at_ = Clock::now();
  state_ = State::kConnected;
  loss_error_ = 0;
  reading_ = true;
  writing_ = true;
  if (!gone_) connection->batch()->Fill(&queue_);
  const std::size_t owed = TakeOwed();
  lock.unlock();
  if (unwanted) connection->Close();
  connection->WatchEnd();
  connection->Write();
  TellWritable(owed);
}

}  // namespace nng
}  // namespace cluster
