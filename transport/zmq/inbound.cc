#include "cluster/transport/zmq/inbound.h"

#include <poll.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/transport/zmq/endpoint.h"
#include "cluster/transport/zmq/settings.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

// ZeroMQ closes a listener on another thread. Only the monitor's one reader can
// wait for that; others try again.
constexpr int kListenerClosedMsMax = 2000;
constexpr int kRebindPauseMs = 1;
constexpr int kRebindTries = kListenerClosedMsMax / kRebindPauseMs;

constexpr int kForEver = -1;
constexpr int kListenPauseMs = 50;

constexpr std::chrono::milliseconds kTurnTime{1};
constexpr int kTurnFramesMax = 512;
// Reading the clock costs a few percent of the smallest frames' price.
constexpr int kFramesPerClockReading = 8;

// Where frames come one by one, only every so many-th is followed by a look for
// another: the look is a system call. A flood that begins is noticed by then.
constexpr int kLoneTurnsPerLook = 4;

// Without a connection, and so without keys.
void ConnectInProcess(zmq::socket_t* push, zmq::socket_t* pull) {
  const std::string endpoint = NewInprocEndpoint();
  push->set(zmq::sockopt::linger, 0);
  CallZmq([&] { return zmq_bind(pull->handle(), endpoint.c_str()); });
  CallZmq([&] { return zmq_connect(push->handle(), endpoint.c_str()); });
}

// ZeroMQ keeps the address with each message that came over TCP, without a port.
class MessageSource final : public FrameSource {
 public:
  // A zmq::message_t.
  explicit MessageSource(const void* message)
      : message_(static_cast<const zmq::message_t*>(message)) {}

  std::string Text() const override {
    const char* const text = zmq_msg_gets(message_->handle(), "Peer-Address");
    return text == nullptr ? "" : text;
  }

 private:
  const zmq::message_t* const message_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Inbound>> Inbound::Open(
    const Sockets* sockets, const Address& address, TransportHandler* handler) {
  std::unique_ptr<Inbound> inbound;
  absl::Status status = CatchZmq("open the receiving socket", [&] {
    inbound.reset(new Inbound(sockets, address, handler));
  });
  if (status.ok()) status = inbound->Listen();
  if (!status.ok()) return status;
  return inbound;
}

Inbound::Inbound(const Sockets* sockets, const Address& address,
                 TransportHandler* handler)
    : sockets_(sockets),
      handler_(handler),
      pull_(*sockets->context, zmq::socket_type::pull),
      monitor_(sockets->context.get(), &pull_, kAcceptedEvents),
      accepted_(std::chrono::milliseconds(sockets->settings.handshake_ms)),
      address_(address),
      bound_(address),
      waker_(*sockets->context, zmq::socket_type::push) {
  SetUpPull(sockets->settings, address, &pull_);
  ConnectInProcess(&waker_, &pull_);
}

Inbound::~Inbound() {
  if (!listening_) return;
  SocketEvent event;
  while (monitor_.Next(&event)) {
  }
  // Later the file may be that of a successor, which takes the path as soon as
  // nobody listens.
  RemoveSocketFile(address_);
  // A context that others use goes on, and closes the listener only in its own
  // time.
  if (Unlisten().ok()) AwaitListenerClosed();
}

absl::Status Inbound::Start() {
  return threads_.Start(handler_, [this] { return Turn(); });
}

void Inbound::Stop() {
  threads_.Stop([this] { Wake(); });
}

bool Inbound::Turn() {
  if (!listening_) {
    if (const Clock::time_point now = Clock::now(); now >= listen_at_) {
      listen_at_ = now + std::chrono::milliseconds(kListenPauseMs);
      Listen().IgnoreError();
    }
  }
  int frames = 0;
  if (!more_) {
    Take(listening_ ? kForEver : kListenPauseMs, &frames);
    if (frames == 0) return false;
    if (lone_ && ++unlooked_ < kLoneTurnsPerLook) return true;
  }
  const Clock::time_point end = Clock::now() + kTurnTime;
  more_ = true;
  for (int i = 1; i < kTurnFramesMax; ++i) {
    if (!Take(0, &frames)) {
      more_ = false;
      break;
    }
    if (i % kFramesPerClockReading == 0 && Clock::now() >= end) break;
  }
  lone_ = frames == 1;
  unlooked_ = 0;
  return frames > 0;
}

bool Inbound::Take(int wait_ms, int* frames) {
  if (!TakePart(wait_ms)) return false;
  if (incoming_.size() == 0 && IsWakeUp()) {
    ServeReload();
    return true;
  }
  ReceivedFrame frame;
  if (!ReadFrame(&frame)) return true;
  ++*frames;
  const MessageSource source(frame.slice.owner.get());
  frame.source = &source;
  // ZeroMQ does not say which connection a frame came on, so there is none to
  // close after a kMalformed.
  (void)handler_->OnFrame(std::move(frame));
  return true;
}

bool Inbound::TakePart(int wait_ms) {
  if (wait_ms != 0 && wait_ms != wait_ms_) {
    pull_.set(zmq::sockopt::rcvtimeo, wait_ms);
    wait_ms_ = wait_ms;
  }
  const int result = Uninterrupted([&] {
    return zmq_msg_recv(incoming_.handle(), pull_.handle(),
                        wait_ms == 0 ? ZMQ_DONTWAIT : 0);
  });
  CLUSTER_CHECK(result >= 0 || zmq_errno() == EAGAIN, "zmq_msg_recv failed");
  return result >= 0;
}

bool Inbound::ReadFrame(ReceivedFrame* frame) {
  if (inside_parts_ || incoming_.more()) return ReadParts(frame);
  if (!Identify(&frame->identity)) return false;
  if (incoming_.size() > sockets_->settings.frame_bytes_max)
    return Reject("a message over the limit", *frame);
  frame->slice = Share(&incoming_);
  return true;
}

// Two parts are a header and a body. A message of more is none of ours.
bool Inbound::ReadParts(ReceivedFrame* frame) {
  const bool late = inside_parts_;
  zmq::message_t head;
  if (!late) {
    head.swap(incoming_);
    CLUSTER_CHECK(TakePart(0), "ZeroMQ hands over whole messages");
  }
  inside_parts_ = incoming_.more();
  if (!Identify(&frame->identity)) return false;
  if (late || inside_parts_) return Reject("a message of many parts", *frame);
  if (head.size() + incoming_.size() > sockets_->settings.frame_bytes_max)
    return Reject("a message over the limit", *frame);
  const bool headed = !head.empty();
  frame->slice = Share(headed ? &head : &incoming_);
  if (headed) frame->rest = Share(&incoming_);
  return true;
}

bool Inbound::Identify(absl::optional<int>* identity) {
  if (sockets_->keys == nullptr) return true;
  const char* const text = zmq_msg_gets(incoming_.handle(), "User-Id");
  const absl::optional<UserId> user =
      text == nullptr ? absl::nullopt : ParseUserId(text);
  if (!user) {
    handler_->OnRejected(
        {RefusalReason::kUnauthenticated, absl::nullopt,
         "a message came on a connection that proved nothing"});
    return false;
  }
  if (!sockets_->keys->Get()->IsCurrent(*user)) {
    handler_->OnRejected(
        {RefusalReason::kUnauthenticated, user->peer,
         absl::StrCat("a message came on a connection of server ", user->peer,
                      " with a key that is revoked")});
    return false;
  }
  *identity = user->peer;
  return true;
}

// Reports a message once, with its last part.
bool Inbound::Reject(const char* reason, const ReceivedFrame& frame) {
  if (!inside_parts_)
    handler_->OnRejected({RefusalReason::kMalformed, frame.identity, reason});
  return false;
}

Slice Inbound::Share(zmq::message_t* part) {
  auto message = std::allocate_shared<zmq::message_t>(
      buffers_->For<zmq::message_t>(), std::move(*part));
  const absl::string_view bytes(static_cast<const char*>(message->data()),
                                message->size());
  return Slice{std::move(message), bytes};
}

// One message does for all calls before it is received.
void Inbound::Wake() {
  if (woken_.exchange(true)) return;
  MutexLock lock(&wake_mutex_);
  zmq::message_t nothing;
  void* const waker = waker_.handle();
  const absl::Status status = CatchZmq("wake the receiving thread", [&] {
    CallZmq(
        [&] { return zmq_msg_send(nothing.handle(), waker, ZMQ_DONTWAIT); });
  });
  CLUSTER_CHECK(status.ok(), status.ToString().c_str());
}

// A stranger's empty message passes for a wake-up only if nothing shows that it
// came by a connection, and only while one is due.
bool Inbound::IsWakeUp() {
  return !incoming_.more() &&
         zmq_msg_gets(incoming_.handle(), "Socket-Type") == nullptr &&
         woken_.exchange(false);
}

absl::Status Inbound::UseKeys(std::shared_ptr<const CurveKeys> keys) {
  MutexLock lock(&reload_mutex_);
  asked_keys_ = std::move(keys);
  Wake();
  while (asked_keys_ != nullptr) reloaded_.Wait(&reload_mutex_);
  return reload_status_;
}

void Inbound::ServeReload() {
  MutexLock lock(&reload_mutex_);
  if (asked_keys_ == nullptr) return;
  CurveKeyRing& ring = *sockets_->keys;
  const std::shared_ptr<const CurveKeys> before = ring.Get();
  ring.Set(asked_keys_);
  reload_status_ = absl::OkStatus();
  if (!listening_ || asked_keys_->own_public() != before->own_public()) {
    reload_status_ = ListenAnew();
    // Turn listens with the old ones as soon as it can.
    if (!reload_status_.ok()) ring.Set(before);
  }
  asked_keys_ = nullptr;
  reloaded_.NotifyAll();
}

absl::Status Inbound::Listen() {
  absl::StatusOr<Address> bound = bound_;
  absl::Status status = CatchZmq("open the receiving socket", [&] {
    if (sockets_->keys != nullptr) SecurePull(*sockets_->keys->Get(), &pull_);
    bound = Bind(bound_, &pull_);
  });
  if (!status.ok()) return status;
  if (!bound.ok()) return bound.status();
  bound_ = *std::move(bound);
  address_.port = bound_.port;
  listening_ = true;
  return absl::OkStatus();
}

absl::Status Inbound::Unlisten() {
  absl::Status status = CatchZmq("stop to listen", [this] {
    CallZmq([&, endpoint = pull_.get(zmq::sockopt::last_endpoint)] {
      return zmq_unbind(pull_.handle(), endpoint.c_str());
    });
  });
  if (status.ok()) listening_ = false;
  return status;
}

absl::Status Inbound::ListenAnew() {
  if (listening_) {
    if (absl::Status status = Unlisten(); !status.ok()) return status;
  }
  absl::Status status = Listen();
  for (int i = 0; absl::IsAlreadyExists(status) && i < kRebindTries; ++i) {
    poll(nullptr, 0, kRebindPauseMs);
    status = Listen();
  }
  return status;
}

void Inbound::AwaitListenerClosed() {
  SocketEvent event;
  pollfd ready{monitor_.fd(), POLLIN, 0};
  do {
    while (monitor_.Next(&event)) {
      if (event.id == ZMQ_EVENT_CLOSED) return;
    }
  } while (poll(&ready, 1, kListenerClosedMsMax) != 0);
}

void Inbound::ReportRejections() {
  SocketEvent event;
  while (monitor_.Next(&event)) {
    if (absl::optional<Rejection> rejection =
            accepted_.Note(event, AcceptedConnections::Clock::now())) {
      handler_->OnRejected(*std::move(rejection));
    }
  }
}

}  // namespace zmq_backend
}  // namespace cluster::internal
