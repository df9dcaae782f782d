#include "cluster/transport/nng/outbound.h"

#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/transport/nng/endpoint.h"
#include "cluster/transport/stream/preamble.h"

namespace cluster::internal {
namespace nng {
namespace {

// A connection that lived shorter may have been refused by its listener, which
// says so by closing it: then the delay goes on growing.
constexpr std::chrono::milliseconds kProvenLife{50};

}  // namespace

// One attempt, and the connection that comes of it: it dials, with a dialer of
// its own so that a name is resolved anew, shakes hands, greets, hears the
// listener's answer and writes batches. Its read then brings nothing but the
// end. Its functions are in that order. It shares its owner until it is freed.
class OutboundConnection final : public Channel {
 public:
  // Takes the dialer.
  OutboundConnection(Context* context, std::shared_ptr<Outbound> owner,
                     int peer, Address address, nng_stream_dialer* dialer);

  void Dial();  // once

 private:
  void OnDialled();
  void Greet(nng_stream* stream);
  void OnSecured(int identity, const std::string& certificate) override;
  void OnTlsFailed(const Rejection& failure, bool peer_knows) override;
  absl::Span<char> Room() override;
  bool OnBytes(std::size_t bytes) override;
  void OnWritten(int error) override { owner_->OnWritten(error); }
  void OnEnd(int error) override;

  void Refuse(RefusalReason kind, std::string reason);
  void EndWith(const std::string& reason);

  void CloseHandles() override;
  void FreeHandles() override;

  const std::shared_ptr<Outbound> owner_;
  const int peer_;
  const Address address_;
  nng_stream_dialer* const dialer_;
  nng_aio* const dial_aio_;

  // Of reading.
  char answer_[stream::kPreambleBytes + 1];  // nothing comes behind it
  std::size_t answer_bytes_ = 0;
  std::string certificate_;
  absl::optional<Rejection> refusal_;  // of one side, by the other
};

OutboundConnection::OutboundConnection(Context* context,
                                       std::shared_ptr<Outbound> owner,
                                       int peer, Address address,
                                       nng_stream_dialer* dialer)
    : Channel(context),
      owner_(std::move(owner)),
      peer_(peer),
      address_(std::move(address)),
      dialer_(dialer),
      dial_aio_(NewAio<&OutboundConnection::OnDialled>(this)) {}

void OutboundConnection::Dial() {
  nng_aio_set_timeout(dial_aio_, ToTimeout(context()->handshake_timeout));
  Begin([this] { nng_stream_dialer_dial(dialer_, dial_aio_); });
}

void OutboundConnection::OnDialled() {
  const int error = nng_aio_result(dial_aio_);
  if (error != 0) {
    const absl::Status status = ErrorStatus(error, "connect to", address_);
    EndWith(error == NNG_ETIMEDOUT
                ? absl::StrCat("connect to ", ToString(address_),
                               ": no answer within the time allowed")
                : std::string(status.message()));
    return;
  }
  auto* const stream =
      static_cast<nng_stream*>(nng_aio_get_output(dial_aio_, 0));
  if (LeadsToItself(stream)) {
    ResetToItself(stream);
    EndWith(absl::StrCat(
        "connect to ", ToString(address_),
        ": nobody listens there, and the attempt connected to itself; give "
        "servers ports outside of ip_local_port_range"));
    return;
  }
  Greet(stream);
}

void OutboundConnection::Greet(nng_stream* stream) {
  SetStream(stream, stream::TlsSession::Role::kDialler, peer_);
  ReadUntil(Clock::now() + context()->handshake_timeout);
  if (!is_secured()) Say(stream::Preamble());
  Open();
}

void OutboundConnection::OnSecured(int /*identity*/,
                                   const std::string& certificate) {
  certificate_ = certificate;
  Say(stream::Preamble());
}

void OutboundConnection::OnTlsFailed(const Rejection& failure,
                                     bool peer_knows) {
  refusal_ = failure;
  if (peer_knows) Close();
}

absl::Span<char> OutboundConnection::Room() {
  return absl::MakeSpan(answer_).subspan(answer_bytes_);
}

bool OutboundConnection::OnBytes(std::size_t bytes) {
  answer_bytes_ += bytes;
  const absl::string_view answer = absl::string_view(answer_, answer_bytes_)
                                       .substr(0, stream::kPreambleBytes);
  if (answer.size() < stream::kPreambleBytes &&
      stream::IsBeginOfAnswer(answer)) {
    return false;
  }
  const std::string refusal = stream::RefusalIn(answer);
  if (!refusal.empty()) {
    Refuse(RefusalReason::kUnauthenticated, refusal);
  } else if (answer_bytes_ > stream::kPreambleBytes) {
    Refuse(RefusalReason::kMalformed,
           "it sends bytes behind its answer, so nobody of this library "
           "listens");
  } else {
    ReadUntil(Clock::time_point::max());
    owner_->OnAccepted(certificate_);
  }
  return false;
}

void OutboundConnection::Refuse(RefusalReason kind, std::string reason) {
  refusal_ = Rejection{kind, peer_, std::move(reason)};
  Close();
}

void OutboundConnection::OnEnd(int error) {
  if (error == NNG_ECONNSHUT && answer_bytes_ == 0 && !refusal_) {
    // As listeners of version 1 do.
    Refuse(RefusalReason::kSilent,
           "it closed the connection without an answer, as a listener of "
           "another version does");
  }
  const std::string why =
      refusal_ ? refusal_->reason
      : error == NNG_ETIMEDOUT && answer_bytes_ < stream::kPreambleBytes
          ? "it did not answer within the handshake timeout"
          : nng_strerror(error);
  EndWith(absl::StrCat("connection to ", ToString(address_), " lost: ", why));
}

void OutboundConnection::EndWith(const std::string& reason) {
  Close();
  if (refusal_) refusal_->reason = reason;
  owner_->OnEnd(Loss{reason, refusal_});
}

void OutboundConnection::CloseHandles() {
  nng_stream_dialer_close(dialer_);
  nng_aio_abort(dial_aio_, NNG_ECLOSED);
  Channel::CloseHandles();
}

void OutboundConnection::FreeHandles() {
  nng_aio_free(dial_aio_);
  FreeDialer(dialer_);
  Channel::FreeHandles();
}

Outbound::Outbound(Context* context, int peer, Address address,
                   std::uint64_t generation)
    : context_(context),
      peer_(peer),
      address_(std::move(address)),
      generation_(generation),
      attempt_generation_(generation),
      dial_at_(Clock::now()) {}

void Outbound::SetAddress(Address address, std::uint64_t generation) {
  Then then;
  {
    MutexLock lock(&mutex_);
    address_ = std::move(address);
    generation_ = generation;
    then = RedialLocked();
  }
  Do(std::move(then));
  context_->caretaker.Wake();
}

void Outbound::Reload(const stream::TlsMaterial& material) {
  Then then;
  {
    MutexLock lock(&mutex_);
    // One that is not accepted yet is judged by the new material then.
    if (gone_ || certificate_.empty() || IsPinned(material)) return;
    then = RedialLocked();
  }
  Do(std::move(then));
  context_->caretaker.Wake();
}

Outbound::Then Outbound::RedialLocked() {
  backoff_.Reset();
  dial_at_ = Clock::now();
  is_urgent_ = state_ != State::kWaiting;
  if (connection_ != nullptr) state_ = State::kLosing;
  Then then;
  then.close = connection_;
  return then;
}

void Outbound::Do(Then then) {
  if (then.close != nullptr) then.close->Close();
  if (then.write == nullptr) return;
  then.write->WriteOut(&batch_);
  TellWritable(then.writable);
}

absl::optional<Clock::time_point> Outbound::Tend(Clock::time_point now) {
  {
    MutexLock lock(&mutex_);
    if (parting_ && IsTold()) {
      if (now < part_at_) return part_at_;
      lock.Unlock();
      Disconnect();
      return absl::nullopt;
    }
    if (gone_) return absl::nullopt;
    if (state_ != State::kWaiting) return Clock::time_point::max();
    if (now < dial_at_) return dial_at_;
  }
  StartDial();
  return Clock::time_point::max();
}

// On the caretaker's thread, the only one that ends kWaiting.
void Outbound::StartDial() {
  MutexLock lock(&mutex_);
  if (gone_) return;
  attempt_generation_ = generation_;
  nng_stream_dialer* dialer = nullptr;
  const bool is_known = context_->admission == nullptr ||
                        context_->admission->material()->Knows(peer_);
  const absl::Status status =
      is_known ? OpenDialer(address_, backoff_.NextAttempt(), &dialer)
               : absl::FailedPreconditionError(absl::StrCat(
                     "connect to ", ToString(address_), ": server ", peer_,
                     " is not among the peers of \"security\""));
  if (!status.ok()) {
    const Clock::duration delay = backoff_.NextDelay();
    state_ = State::kLosing;
    lock.Unlock();
    return Retry(std::string(status.message()), delay);
  }
  const auto connection = std::make_shared<OutboundConnection>(
      context_, shared_from_this(), peer_, address_, dialer);
  connection_ = connection;
  state_ = State::kDialling;
  lock.Unlock();
  context_->caretaker.Add(connection);
  connection->Dial();
}

void Outbound::OnAccepted(const std::string& certificate) {
  std::uint64_t generation = 0;
  {
    MutexLock lock(&mutex_);
    if (gone_ || state_ != State::kDialling) return;
    certificate_ = certificate;
    if (context_->admission != nullptr &&
        !IsPinned(*context_->admission->material())) {
      const std::shared_ptr<OutboundConnection> connection = connection_;
      lock.Unlock();
      return connection->Close();
    }
    state_ = State::kAnnouncing;
    announcing_ = true;
    generation = attempt_generation_;
  }
  // Before its loss can be told.
  context_->handler->OnConnected(peer_, generation);
  Then then;
  {
    MutexLock lock(&mutex_);
    announcing_ = false;
    if (state_ == State::kLosing) {
      lock.Unlock();
      return FinishLossIfOver();
    }
    connected_at_ = Clock::now();
    state_ = State::kConnected;
    then = WriteNext();
  }
  Do(std::move(then));
}

SendResult Outbound::Send(const Frame& frame) {
  Then then;
  {
    MutexLock lock(&mutex_);
    if (gone_) return SendResult::kSent;
    if (!queue_.empty() &&
        queue_.bytes() + frame.size() > context_->options.send_queue_bytes) {
      ++writable_owed_;
      return SendResult::kBackPressured;
    }
    queue_.PushBack(frame);
    if (state_ != State::kConnected || writing_) return SendResult::kSent;
    // When no write is under way the queue was empty, so nobody waits for
    // OnWritable, and nothing is told inline here.
    CLUSTER_CHECK(writable_owed_ == 0, "an idle connection owes OnWritable");
    try {
      batch_.Fill(&queue_);
    } catch (const std::bad_alloc&) {
      queue_.PopFront();
      throw;
    }
    then = StartWrite();
  }
  Do(std::move(then));
  return SendResult::kSent;
}

Outbound::Then Outbound::WriteNext() {
  batch_.Fill(&queue_);
  return StartWrite();
}

Outbound::Then Outbound::StartWrite() {
  Then then;
  writing_ = !batch_.done();
  if (!writing_) {
    sent_.NotifyAll();
    if (std::exchange(parting_, false)) then.close = connection_;
    return then;
  }
  const bool has_room =
      queue_.bytes() <= context_->options.send_queue_bytes / 2;
  then.writable = has_room ? std::exchange(writable_owed_, 0) : 0;
  then.write = connection_;
  return then;
}

void Outbound::OnWritten(int error) {
  if (error == 0) batch_.Clear();  // without the lock: the last shares may go
  Then then;
  {
    MutexLock lock(&mutex_);
    writing_ = false;
    if (error != 0 || state_ == State::kLosing) {
      state_ = State::kLosing;  // the connection closes itself
      lock.Unlock();
      return FinishLossIfOver();
    }
    then = WriteNext();
  }
  Do(std::move(then));
}

void Outbound::TellWritable(std::size_t times) {
  for (std::size_t i = 0; i < times; ++i) {
    {
      MutexLock lock(&mutex_);
      if (gone_) return;
    }
    context_->handler->OnWritable(peer_);
  }
}

bool Outbound::WaitUntilSent(Clock::time_point deadline) {
  MutexLock lock(&mutex_);
  return sent_.WaitUntil(&mutex_, deadline, [this] {
    mutex_.AssertHeld();
    return gone_ || (queue_.empty() && !writing_);
  });
}

void Outbound::OnEnd(Loss loss) {
  {
    MutexLock lock(&mutex_);
    loss_ = std::move(loss);
    state_ = State::kLosing;
  }
  FinishLossIfOver();
}

// Of the calls that may find it over, the first takes loss_.
void Outbound::FinishLossIfOver() {
  std::shared_ptr<OutboundConnection> connection;
  stream::FrameQueue dropped;
  Clock::duration delay;
  Loss loss;
  bool is_told = false;
  {
    MutexLock lock(&mutex_);
    if (!loss_ || writing_ || announcing_) return;
    connection = std::exchange(connection_, nullptr);
    batch_.ReturnUntouched(gone_ ? &dropped : &queue_);
    certificate_.clear();
    const auto connected_at = std::exchange(connected_at_, absl::nullopt);
    if (connected_at && Clock::now() - *connected_at > kProvenLife) {
      backoff_.Reset();
    }
    delay = backoff_.NextDelay();
    loss = *std::exchange(loss_, absl::nullopt);
    is_told = !gone_;
    sent_.NotifyAll();
  }
  batch_.Clear();  // nobody else's while state_ is kLosing
  connection->Release();
  if (loss.refusal && is_told) {
    context_->handler->OnRejected(*std::move(loss.refusal));
  }
  Retry(loss.reason, delay);
}

void Outbound::Retry(const std::string& reason, Clock::duration delay) {
  std::uint64_t generation = 0;
  {
    MutexLock lock(&mutex_);
    if (gone_) return;
    generation = attempt_generation_;
  }
  // Not waiting yet: the next OnConnected must not overtake this.
  context_->handler->OnDisconnected(peer_, generation, reason);
  {
    MutexLock lock(&mutex_);
    state_ = State::kWaiting;
    const bool is_urgent = std::exchange(is_urgent_, false);
    dial_at_ = Clock::now() + (is_urgent ? Clock::duration{} : delay);
  }
  context_->caretaker.Wake();
}

void Outbound::Part() {
  Then then;
  {
    MutexLock lock(&mutex_);
    if (gone_ || !IsTold()) {
      lock.Unlock();
      return Disconnect();
    }
    gone_ = parting_ = true;
    writable_owed_ = 0;
    part_at_ = Clock::now() + absl::ToChronoNanoseconds(kPartingTime);
    sent_.NotifyAll();
    if (state_ == State::kConnected && !writing_) then = WriteNext();
  }
  Do(std::move(then));
  context_->caretaker.Wake();
}

void Outbound::Disconnect() {
  std::shared_ptr<OutboundConnection> connection;
  stream::FrameQueue dropped;  // after the lock: the last shares may go with it
  {
    MutexLock lock(&mutex_);
    gone_ = true;
    parting_ = false;
    writable_owed_ = 0;
    connection = connection_;
    std::swap(dropped, queue_);
    sent_.NotifyAll();
  }
  if (connection != nullptr) connection->Close();
  context_->caretaker.Wake();
}

}  // namespace nng
}  // namespace cluster::internal
