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

// Pushes whatever was written before it out of TLS's buffer, which is smaller.
constexpr std::size_t kPaddingBytes = 17u << 10;

std::string LossText(const Address& address, int error, bool proving) {
  const std::string begin =
      absl::StrCat("connection to ", ToString(address), " lost: ");
  if (error == NNG_EPROTO) {
    return begin + "it sends bytes, so nobody of this library listens";
  }
  if (IsTlsRefusal(error)) {
    return begin +
           "TLS handshake: its certificate is not the one that this server has "
           "for it, or has expired, or it does not take this server's";
  }
  if (proving && error == NNG_ETIMEDOUT) {
    return begin +
           "it did not ask for the proof of identity within the handshake "
           "timeout; it does so over its own connection to this server";
  }
  return begin + nng_strerror(error);
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
    // A closed TLS stream takes bytes and says that it has written them.
    if (connection != nullptr) NoteLoss(NNG_ECLOSED);
  }
  if (dial != nullptr) dial->Close();
  if (connection != nullptr) connection->Close();
  context_.caretaker->Wake();
}

void Outbound::Redial() {
  Lock lock(mutex_);
  Address address = address_;
  lock.unlock();
  SetAddress(std::move(address));
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
  if (controls_wanted_) AddControls(connection->batch());
  if (state_ == State::kConnected) connection->batch()->Fill(&queue_);
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
  const auto idle = [this] { return gone_ || (queue_.empty() && !writing_); };
  if (!sent_.wait_until(lock, deadline, idle)) return false;
  if (context_.authenticator == nullptr || state_ != State::kConnected) {
    return true;
  }
  padding_wanted_ = true;
  controls_wanted_ = true;
  WriteNext(std::move(lock));
  lock = Lock(mutex_);
  return sent_.wait_until(lock, deadline, idle);
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
  if (error != 0) NoteLoss(error);
  if (LossIsOver()) {
    FinishLoss(std::move(lock));
  } else if (state_ != State::kLosing) {
    WriteNext(std::move(lock));
  }
}

void Outbound::OnReadEnd(OutboundConnection* connection, int error) {
  connection->Close();
  Lock lock(mutex_);
  reading_ = false;
  NoteLoss(error);
  if (LossIsOver()) FinishLoss(std::move(lock));
}

void Outbound::NoteLoss(int error) {
  state_ = State::kLosing;
  // The other direction may only have seen the end that this one explains.
  if (loss_error_ == 0 || IsTlsRefusal(error)) loss_error_ = error;
}

void Outbound::FinishLoss(Lock lock) {
  const std::shared_ptr<OutboundConnection> connection = std::move(connection_);
  connection_ = nullptr;
  FrameQueue dropped;
  connection->batch()->ReturnUntouched(gone_ ? &dropped : &queue_);
  const bool was_usable =
      context_.authenticator == nullptr || std::exchange(proven_, false);
  if (context_.authenticator != nullptr) {
    context_.authenticator->Lost(peer_, tag_);
    proof_.clear();
  }
  if (was_usable && Clock::now() - connected_at_ > kProvenLife) {
    delay_ = kDelayMin;
    attempt_ = 0;
  }
  const Clock::duration delay = NextDelay();
  const int error = loss_error_;
  const std::string reason = LossText(address_, error, !was_usable);
  const bool rejected = IsTlsRefusal(error) && !gone_;
  sent_.notify_all();
  lock.unlock();
  connection->batch()->Clear();
  connection->Release();
  if (rejected) {
    context_.handler->OnRejected(
        Rejection{RejectionKind::kUnauthenticated, peer_, reason});
  }
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
    return OpenDialer(address_, attempt_++, nullptr, dialer);
  }
  const auto material = context_.authenticator->material();
  nng_tls_config* const tls = material->dialer(peer_);
  if (tls == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("connect to ", ToString(address_), ": server ", peer_,
                     " is not among the peers of \"security\""));
  }
  return OpenDialer(address_, attempt_++, tls, dialer);
}

void Outbound::StartDial(Lock lock) {
  nng_stream_dialer* dialer = nullptr;
  const absl::Status status = OpenNext(&dialer);
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
  const Clock::duration delay = NextDelay();
  Retry(std::move(lock), reason, delay);
}

void Outbound::BeginProof(Lock lock, nng_stream* stream) {
  const auto connection = std::make_shared<OutboundConnection>(
      context_.caretaker, stream, shared_from_this());
  connection_ = connection;
  connection->batch()->AddPreamble(/*secured=*/true);
  connection->batch()->AddControl(
      context_.authenticator->Dialled(peer_, &tag_));
  AddControls(connection->batch());
  state_ = State::kProving;
  dial_deadline_ = Clock::now() + context_.dial_timeout;
  loss_error_ = 0;
  reading_ = true;
  writing_ = true;
  lock.unlock();
  // Which wakes it, for the deadline too.
  context_.caretaker->Add(connection);
  connection->WatchEnd();
  connection->Write();
}

void Outbound::OnMessagesWaiting() {
  Lock lock(mutex_);
  if (gone_) return;
  if (state_ == State::kWaiting) {
    // Somebody says that the peer is there.
    dial_at_ = std::min(dial_at_, Clock::now() + kDelayMin);
    lock.unlock();
    context_.caretaker->Wake();
    return;
  }
  controls_wanted_ = true;
  if (connection_ != nullptr && state_ != State::kLosing && !writing_) {
    WriteNext(std::move(lock));
  }
}

void Outbound::AddControls(WriteBatch* batch) {
  controls_wanted_ = false;
  if (!proof_.empty() && state_ == State::kConnected) {
    batch->AddControl(std::exchange(proof_, std::string()));
  }
  for (const std::string& message :
       context_.authenticator->TakeMessages(peer_)) {
    batch->AddControl(message);
  }
  if (!std::exchange(padding_wanted_, false)) return;
  const std::string padding = PaddingMessage();
  for (std::size_t bytes = 0; bytes < kPaddingBytes; bytes += padding.size()) {
    batch->AddControl(padding);
  }
}

void Outbound::OnAnswer(const Verdict::Answer& answer) {
  Lock lock(mutex_);
  if (gone_ || state_ != State::kProving || tag_ != answer.tag) return;
  state_ = State::kAnnouncing;
  announcing_ = true;
  lock.unlock();
  // Before its loss can be told.
  context_.handler->OnConnected(peer_);
  lock.lock();
  announcing_ = false;
  if (LossIsOver()) {
    FinishLoss(std::move(lock));
    return;
  }
  if (state_ == State::kLosing) return;
  connected_at_ = Clock::now();
  proven_ = true;
  proof_ = answer.message;
  controls_wanted_ = true;
  state_ = State::kConnected;
  if (!writing_) WriteNext(std::move(lock));
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
