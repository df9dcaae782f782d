#include "cluster/transport/nng/outbound.h"

#include <algorithm>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/transport/nng/endpoint.h"

namespace cluster {
namespace nng {
namespace {

// A connection that lived shorter may have been refused by its listener, which
// says so by closing it: then the delay goes on growing.
constexpr std::chrono::milliseconds kProvenLife{50};

std::string LossText(const Address& address, const Loss& loss, bool accepted) {
  std::string why;
  if (loss.refusal) {
    why = loss.refusal->reason;
  } else if (!accepted && loss.error == NNG_ETIMEDOUT) {
    why = "it did not answer within the handshake timeout";
  } else {
    why = nng_strerror(loss.error);
  }
  return absl::StrCat("connection to ", ToString(address), " lost: ", why);
}

}  // namespace

Outbound::Outbound(const OutboundContext& context, int peer, Address address,
                   std::uint64_t generation)
    : context_(context),
      peer_(peer),
      address_(std::move(address)),
      generation_(generation),
      attempt_generation_(generation),
      dial_at_(Clock::now()) {}

void Outbound::SetAddress(Address address, std::uint64_t generation) {
  std::shared_ptr<Dial> dial;
  std::shared_ptr<OutboundConnection> connection;
  {
    Lock lock(mutex_);
    address_ = std::move(address);
    generation_ = generation;
    backoff_.Reset();
    if (state_ == State::kDialling) {
      dial = std::move(dial_);
      state_ = State::kWaiting;
    }
    dial_at_ = Clock::now();
    address_changed_ = state_ != State::kWaiting;
    connection = connection_;
    // From here on nothing is written to it.
    if (connection != nullptr) NoteLoss(Loss{NNG_ECLOSED, absl::nullopt});
  }
  if (dial != nullptr) dial->Close();
  if (connection != nullptr) connection->Close();
  context_.caretaker->Wake();
}

void Outbound::Reload(const stream::TlsMaterial& material) {
  Lock lock(mutex_);
  // One that is not accepted yet is judged by the new material then.
  if (gone_ || certificate_.empty() || IsPinned(material)) return;
  Address address = address_;
  const std::uint64_t generation = generation_;
  lock.unlock();
  SetAddress(std::move(address), generation);
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
  try {
    FillBatch();
  } catch (const std::bad_alloc&) {
    queue_.PopFront();
    throw;
  }
  WriteBatchNow(std::move(lock));
  return SendResult::kSent;
}

void Outbound::WriteNext(Lock lock) {
  if (parting_) return WriteLast(std::move(lock));
  FillBatch();
  WriteBatchNow(std::move(lock));
}

void Outbound::FillBatch() {
  if (state_ == State::kConnected) connection_->batch()->Fill(&queue_);
}

void Outbound::WriteBatchNow(Lock lock) {
  const std::shared_ptr<OutboundConnection> connection = connection_;
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

void Outbound::WriteLast(Lock lock) {
  const std::shared_ptr<OutboundConnection> connection = connection_;
  connection->batch()->Fill(&queue_);
  writing_ = !connection->batch()->done();
  if (!writing_) parting_ = false;
  const bool writing = writing_;
  lock.unlock();
  if (writing) {
    connection->Write();
  } else {
    connection->Close();
  }
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
  return sent_.wait_until(lock, deadline, idle);
}

void Outbound::Part() {
  Lock lock(mutex_);
  if (gone_ || !IsTold()) {
    lock.unlock();
    return Disconnect();
  }
  gone_ = parting_ = true;
  writable_owed_ = 0;
  part_at_ = Clock::now() + absl::ToChronoNanoseconds(kPartingTime);
  sent_.notify_all();
  if (state_ == State::kConnected && !writing_) {
    WriteLast(std::move(lock));
  } else {
    lock.unlock();
  }
  context_.caretaker->Wake();
}

void Outbound::Disconnect() {
  std::shared_ptr<Dial> dial;
  std::shared_ptr<OutboundConnection> connection;
  stream::FrameQueue dropped;  // after the lock: the last shares may go with it
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
  if (error != 0) NoteLoss(Loss{error, absl::nullopt});
  if (LossIsOver()) {
    FinishLoss(std::move(lock));
  } else if (state_ != State::kLosing) {
    WriteNext(std::move(lock));
  }
}

void Outbound::OnReadEnd(OutboundConnection* connection, const Loss& loss) {
  connection->Close();
  Lock lock(mutex_);
  reading_ = false;
  NoteLoss(loss);
  if (LossIsOver()) FinishLoss(std::move(lock));
}

void Outbound::NoteLoss(const Loss& loss) {
  state_ = State::kLosing;
  // The other direction may only have seen the end that this one explains.
  if (loss_.error == 0) loss_.error = loss.error;
  if (!loss_.refusal) loss_.refusal = loss.refusal;
}

void Outbound::FinishLoss(Lock lock) {
  const std::shared_ptr<OutboundConnection> connection = std::move(connection_);
  connection_ = nullptr;
  stream::FrameQueue dropped;
  connection->batch()->ReturnUntouched(gone_ ? &dropped : &queue_);
  const bool was_accepted = std::exchange(accepted_, false);
  certificate_.clear();
  if (was_accepted && Clock::now() - connected_at_ > kProvenLife) {
    backoff_.Reset();
  }
  const Clock::duration delay = backoff_.NextDelay();
  const std::string reason = LossText(address_, loss_, was_accepted);
  absl::optional<Rejection> rejection;
  if (!gone_) rejection = std::exchange(loss_.refusal, absl::nullopt);
  sent_.notify_all();
  lock.unlock();
  connection->batch()->Clear();
  connection->Release();
  if (rejection) {
    rejection->peer = peer_;
    rejection->reason = reason;
    context_.handler->OnRejected(*std::move(rejection));
  }
  lock.lock();
  Retry(std::move(lock), reason, delay);
}

}  // namespace nng
}  // namespace cluster
