#include "cluster/transport/stream/outbound.h"

#include <cerrno>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/transport/stream/endpoint.h"
#include "cluster/transport/stream/preamble.h"

namespace cluster::internal {
namespace stream {
namespace {

// A shorter life may mean that the listener refused the connection, which it
// says by closing. Then the delay goes on growing.
constexpr std::chrono::milliseconds kProvenLife{50};

}  // namespace

// One attempt to connect, and the connection that results. In the order of its
// functions it dials, shakes hands, greets, reads the listener's answer and
// writes batches. After the answer a read brings nothing but the end. The
// destructor reports the end to the owner.
class OutboundConnection final : public Channel {
 public:
  // `address` is for texts.
  OutboundConnection(Context* context, std::shared_ptr<Outbound> owner,
                     int peer, std::string address,
                     std::unique_ptr<ByteStream> stream)
      : Channel(context, std::move(stream)),
        owner_(std::move(owner)),
        peer_(peer),
        address_(std::move(address)) {}

  ~OutboundConnection() override { owner_->OnEnd(std::move(loss_)); }

  // Call once. Gives up after `time`.
  void Dial(Clock::duration time) {
    EndAt(Clock::now() + time);
    Begin(dial_.get(), [this] { stream()->Connect(dial_.get()); });
  }

 private:
  void OnDialled(int error, std::size_t /*bytes*/) {
    if (error != 0) {
      loss_.nobody_listens = error == ECONNREFUSED || error == ENOENT;
      return EndWith(absl::StrCat("connect to ", address_, ": ",
                                  ErrorText(ReasonOf(error))));
    }
    if (stream()->LeadsToItself()) {
      stream()->Reset();
      return EndWith(absl::StrCat(
          "connect to ", address_,
          ": nobody listens there, and the attempt connected to itself; give "
          "servers ports outside of ip_local_port_range"));
    }
    // Before Open reads: the listener's answer starts the frames.
    if (!is_secured()) Say(Preamble());
    Open(TlsSession::Role::kDialler, peer_);
  }

  void OnSecured(int /*identity*/, const std::string& certificate) override {
    certificate_ = certificate;
    Say(Preamble());
  }

  void OnTlsFailed(const Rejection& failure, bool peer_knows) override {
    loss_.refusal = failure;
    if (peer_knows) Close();
  }

  absl::Span<char> Room() override {
    return absl::MakeSpan(answer_).subspan(answer_bytes_);
  }

  bool OnBytes(std::size_t bytes) override {
    answer_bytes_ += bytes;
    const absl::string_view answer =
        absl::string_view(answer_, answer_bytes_).substr(0, kPreambleBytes);
    if (answer.size() < kPreambleBytes && IsBeginOfAnswer(answer)) {
      return false;
    }
    const std::string refusal = RefusalIn(answer);
    if (!refusal.empty()) {
      Refuse(RefusalReason::kUnauthenticated, refusal);
    } else if (answer_bytes_ > kPreambleBytes) {
      Refuse(RefusalReason::kMalformed,
             "it sends bytes behind its answer, so nobody of this library "
             "listens");
    } else {
      EndAt(Clock::time_point::max());
      if (!owner_->OnAccepted(certificate_)) Close();
    }
    return false;
  }

  void OnWritten() override { owner_->OnWritten(); }

  void Refuse(RefusalReason kind, std::string reason) {
    loss_.refusal = Rejection{kind, peer_, std::move(reason)};
    Close();
  }

  void OnEnd(int error) override {
    if (error == ESHUTDOWN && answer_bytes_ == 0 && !loss_.refusal) {
      // As listeners of version 1 do.
      Refuse(RefusalReason::kSilent,
             "it closed the connection without an answer, as a listener of "
             "another version does");
    }
    const std::string why =
        loss_.refusal ? loss_.refusal->reason
        : error == ETIMEDOUT && answer_bytes_ < kPreambleBytes
            ? "it did not answer within the handshake timeout"
            : ErrorText(error);
    EndWith(absl::StrCat("connection to ", address_, " lost: ", why));
  }

  void EndWith(const std::string& reason) {
    Close();
    if (loss_.refusal) loss_.refusal->reason = reason;
    loss_.reason = reason;
  }

  void EndOperations() override {
    Channel::EndOperations();
    dial_->Abort();
  }

  const std::shared_ptr<Outbound> owner_;
  const int peer_;
  const std::string address_;
  const std::unique_ptr<Operation> dial_ = context()->io->NewOperation(
      &Call<OutboundConnection, &OutboundConnection::OnDialled>);

  // Of reading.
  char answer_[kPreambleBytes + 1];  // a listener sends no more
  std::size_t answer_bytes_ = 0;
  std::string certificate_;
  Loss loss_;
};

void Outbound::SetAddress(Address address, std::uint64_t generation) {
  Then then;
  {
    MutexLock lock(&mutex_);
    order_ = DialOrder(std::move(address));
    generation_ = generation;
    then = RedialLocked();
  }
  Do(std::move(then));
}

void Outbound::Reload(const TlsMaterial& material) {
  Then then;
  {
    MutexLock lock(&mutex_);
    // OnAccepted checks a connection that is not accepted yet.
    if (gone_ || certificate_.empty()) return;
    if (material.IdOf(certificate_) == peer_) return;
    then = RedialLocked();
  }
  Do(std::move(then));
}

Outbound::Then Outbound::RedialLocked() {
  backoff_.Reset();
  if (state_ == State::kLookingUp) {
    Resolver::OfProcess().Cancel(std::exchange(look_up_, 0));
    state_ = State::kWaiting;
    Sleep(Clock::duration::zero());
    return Then();
  }
  if (state_ == State::kWaiting) {
    timer_->Abort();
    return Then();
  }
  is_urgent_ = true;
  state_ = State::kLosing;
  Then then;
  then.close = connection_.lock();
  return then;
}

void Outbound::Do(Then then, bool at_once) {
  if (then.close != nullptr) then.close->Close();
  if (then.write != nullptr && then.write->WriteOut(&batch_, at_once))
    OnWrittenAtOnce(then.write.get());
  for (; then.writable > 0; --then.writable) {
    {
      MutexLock lock(&mutex_);
      if (gone_) return;
    }
    context_->handler->OnWritable(peer_);
  }
}

// Frames that others have queued meanwhile are not for this thread to write.
void Outbound::OnWrittenAtOnce(OutboundConnection* connection) {
  batch_.Clear();  // unlocked, since it may free frames
  Then then;
  bool goes_on = false;
  {
    MutexLock lock(&mutex_);
    goes_on = state_ == State::kConnected && !queue_.empty();
    writing_ = goes_on;
    if (!goes_on && state_ == State::kConnected) then = WriteNext();
  }
  if (then.close != nullptr) then.close->Close();
  if (goes_on) connection->ReportWritten(&batch_);
}

void Outbound::OnTimer(int /*error*/, std::size_t /*bytes*/) {
  MutexLock lock(&mutex_);
  if (gone_) {  // kPartingTime is over
    lock.Unlock();
    return Disconnect();
  }
  if (state_ == State::kLosing) {
    lock.Unlock();
    return ReportLoss();
  }
  attempt_generation_ = generation_;
  const auto attempt = NextAttempt();
  if (!attempt.ok()) {
    loss_.reason = std::string(attempt.status().message());
    state_ = State::kLosing;
    lock.Unlock();
    return ReportLoss();
  }
  const Clock::duration time = order_.TimeOf(context_->handshake_timeout);
  lock.Unlock();
  if (*attempt != nullptr) (*attempt)->Dial(time);
}

absl::StatusOr<std::shared_ptr<OutboundConnection>> Outbound::NextAttempt() {
  const auto material = context_->admission->material();
  if (material != nullptr && !material->Knows(peer_)) {
    return absl::FailedPreconditionError(
        absl::StrCat("connect to ", ToString(order_.address()), ": server ",
                     peer_, " is not among the peers of \"security\""));
  }
  const auto self = std::static_pointer_cast<Outbound>(shared_from_this());
  const absl::optional<Address> next = order_.Next();
  if (!next) {
    const absl::StatusOr<Resolver::Ticket> begun = Resolver::OfProcess().Begin(
        order_.address().host,
        [weak = std::weak_ptr<Outbound>(self)](
            Resolver::Ticket ticket, absl::StatusOr<Resolver::Hosts> hosts) {
          if (const auto found = weak.lock())
            found->OnFound(ticket, std::move(hosts));
        });
    if (!begun.ok()) return begun.status();
    look_up_ = *begun;
    state_ = State::kLookingUp;
    return nullptr;
  }
  const absl::StatusOr<Address> numbers = ToNumbers(*next);
  if (!numbers.ok()) return numbers.status();
  absl::StatusOr<std::unique_ptr<ByteStream>> stream =
      context_->io->NewStream(*numbers);
  if (!stream.ok()) return stream.status();
  auto connection = std::make_shared<OutboundConnection>(
      context_, self, peer_, order_.text(), *std::move(stream));
  connection_ = connection;
  state_ = State::kDialling;
  return connection;
}

void Outbound::OnFound(Resolver::Ticket ticket,
                       absl::StatusOr<Resolver::Hosts> hosts) {
  MutexLock lock(&mutex_);
  if (look_up_ != ticket) return;
  look_up_ = 0;
  if (hosts.ok()) {
    order_.Found(*std::move(hosts));
    state_ = State::kWaiting;
  } else {
    loss_.reason = absl::StrCat("connect to ", ToString(order_.address()), ": ",
                                hosts.status().message());
    state_ = State::kLosing;
  }
  Sleep(Clock::duration::zero());
}

bool Outbound::OnAccepted(const std::string& certificate) {
  std::uint64_t generation = 0;
  Then then;
  {
    MutexLock lock(&mutex_);
    if (gone_ || state_ != State::kDialling) return false;
    certificate_ = certificate;
    const auto material = context_->admission->material();
    if (material != nullptr && material->IdOf(certificate) != peer_)
      return false;
    connected_at_ = Clock::now();
    order_.Worked();
    state_ = State::kConnected;
    generation = attempt_generation_;
    then = WriteNext();
  }
  context_->handler->OnConnected(peer_, generation);
  Do(std::move(then));
  return true;
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
    // Without a write under way the queue was empty. So nobody waits for
    // OnWritable, and Do does not call it inline here.
    CLUSTER_CHECK(writable_owed_ == 0, "an idle connection owes OnWritable");
    try {
      then = WriteNext();
    } catch (const std::bad_alloc&) {
      queue_.PopFront();
      throw;
    }
  }
  Do(std::move(then));
  return SendResult::kSent;
}

Outbound::Then Outbound::WriteNext() {
  Then then;
  batch_.Fill(&queue_);
  writing_ = !batch_.done();
  if (!writing_) {
    sent_.NotifyAll();
    if (gone_) then.close = connection_.lock();
    return then;
  }
  const bool has_room =
      queue_.bytes() <= context_->options.send_queue_bytes / 2;
  then.writable = has_room ? std::exchange(writable_owed_, 0) : 0;
  then.write = connection_.lock();
  return then;
}

void Outbound::OnWritten() {
  batch_.Clear();  // unlocked, since it may free frames
  Then then;
  {
    MutexLock lock(&mutex_);
    writing_ = false;
    if (state_ != State::kConnected) return;
    then = WriteNext();
  }
  Do(std::move(then), /*at_once=*/false);
}

bool Outbound::WaitUntilSent(Clock::time_point deadline) {
  MutexLock lock(&mutex_);
  return sent_.WaitUntil(&mutex_, deadline, [this] {
    mutex_.AssertHeld();
    return gone_ || (queue_.empty() && !writing_);
  });
}

void Outbound::OnEnd(Loss loss) {
  MutexLock lock(&mutex_);
  state_ = State::kLosing;
  writing_ = false;
  certificate_.clear();
  loss_ = std::move(loss);
  sent_.NotifyAll();
  if (gone_) {
    lock.Unlock();
    return Close();
  }
  batch_.ReturnUntouched(&queue_);
  // OnTimer reports the loss, since this may be the thread of a Send.
  Sleep(Clock::duration::zero());
}

void Outbound::ReportLoss() {
  batch_.Clear();  // unlocked: nobody else uses it while state_ is kLosing
  Loss loss;
  std::uint64_t generation = 0;
  {
    MutexLock lock(&mutex_);
    if (gone_) return;
    loss = std::exchange(loss_, Loss());
    generation = attempt_generation_;
  }
  if (loss.nobody_listens) context_->handler->OnRefused(peer_, generation);
  if (loss.refusal) context_->handler->OnRejected(*std::move(loss.refusal));
  context_->handler->OnDisconnected(peer_, generation, loss.reason);
  MutexLock lock(&mutex_);
  // Only now, so that the next OnConnected does not overtake the report.
  state_ = State::kWaiting;
  const auto connected_at = std::exchange(connected_at_, absl::nullopt);
  if (connected_at && Clock::now() - *connected_at > kProvenLife) {
    backoff_.Reset();
  }
  const bool at_once = std::exchange(is_urgent_, false) || order_.GoesOn();
  Sleep(at_once ? Clock::duration::zero() : backoff_.NextDelay());
}

void Outbound::Part() {
  Then then;
  {
    MutexLock lock(&mutex_);
    if (gone_ || state_ != State::kConnected) {
      lock.Unlock();
      return Disconnect();
    }
    gone_ = true;
    writable_owed_ = 0;
    sent_.NotifyAll();
    if (!writing_) then = WriteNext();
    Sleep(absl::ToChronoNanoseconds(kPartingTime));
  }
  Do(std::move(then));
}

void Outbound::Disconnect() {
  std::shared_ptr<OutboundConnection> connection;
  FrameQueue dropped;  // freed after the lock is released
  {
    MutexLock lock(&mutex_);
    gone_ = true;
    writable_owed_ = 0;
    if (look_up_ != 0) Resolver::OfProcess().Cancel(std::exchange(look_up_, 0));
    connection = connection_.lock();
    std::swap(dropped, queue_);
    sent_.NotifyAll();
  }
  if (connection != nullptr) connection->Close();
  Close();
}

}  // namespace stream
}  // namespace cluster::internal
