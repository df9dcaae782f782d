#include "cluster/transport/zmq/inbound_socket.h"

#include <poll.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/transport/zmq/endpoint.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

// How long to wait for ZeroMQ to close a listener, on another thread. Only who
// is alone with the monitor can wait for its news; others try again.
constexpr int kListenerClosedMsMax = 2000;
constexpr int kRebindPauseMs = 1;
constexpr int kRebindTries = kListenerClosedMsMax / kRebindPauseMs;

// Without a connection, and so without keys.
void ConnectInProcess(zmq::socket_t* push, zmq::socket_t* pull) {
  static std::atomic<std::uint64_t> made{0};
  const std::string endpoint = absl::StrCat("inproc://wake-", ++made);
  push->set(zmq::sockopt::linger, 0);
  CallZmq([&] { return zmq_bind(pull->handle(), endpoint.c_str()); });
  CallZmq([&] { return zmq_connect(push->handle(), endpoint.c_str()); });
}

}  // namespace

absl::StatusOr<std::unique_ptr<InboundSocket>> InboundSocket::Open(
    zmq::context_t* context, const ZmqSettings& settings,
    const CurveKeyRing* keys, const Address& address) {
  std::unique_ptr<InboundSocket> inbound;
  absl::Status status = CatchZmq("open the receiving socket", [&] {
    inbound.reset(new InboundSocket(context, settings, keys, address));
  });
  if (status.ok()) status = inbound->BindAndNote();
  if (!status.ok()) return status;
  return inbound;
}

InboundSocket::InboundSocket(zmq::context_t* context,
                             const ZmqSettings& settings,
                             const CurveKeyRing* keys, const Address& address)
    : frame_bytes_max_(settings.frame_bytes_max),
      keys_(keys),
      pull_(*context, zmq::socket_type::pull),
      monitor_(context, &pull_, ConnectionMonitor::Scope::kAccepted,
               std::chrono::milliseconds(settings.handshake_ms)),
      address_(address),
      bound_(address),
      waker_(*context, zmq::socket_type::push) {
  SetUpPull(settings, address, &pull_);
  ConnectInProcess(&waker_, &pull_);
  if (keys_ != nullptr) SecurePull(*keys_->Get(), &pull_);
}

InboundSocket::~InboundSocket() {
  if (!listening_) return;
  ConnectionEvent event;
  while (monitor_.Next(&event)) {
  }
  // Later the file may be that of a successor, which takes the path as soon as
  // nobody listens.
  RemoveSocketFile(address_);
  // A context that others use goes on, and only in its own time closes what
  // listens.
  if (Unbind().ok()) AwaitListenerClosed();
}

absl::Status InboundSocket::Unbind() {
  return CatchZmq("stop to listen", [this] {
    CallZmq([&, endpoint = pull_.get(zmq::sockopt::last_endpoint)] {
      return zmq_unbind(pull_.handle(), endpoint.c_str());
    });
  });
}

void InboundSocket::AwaitListenerClosed() {
  ConnectionEvent event;
  pollfd ready{monitor_.fd(), POLLIN, 0};
  do {
    while (monitor_.Next(&event)) {
      if (event.kind == ConnectionEvent::Kind::kListenerClosed) return;
    }
  } while (poll(&ready, 1, kListenerClosedMsMax) != 0);
}

absl::Status InboundSocket::BindAndNote() {
  absl::StatusOr<Address> bound = bound_;
  absl::Status status = CatchZmq("open the receiving socket",
                                 [&] { bound = Bind(bound_, &pull_); });
  if (!status.ok()) return status;
  if (!bound.ok()) return bound.status();
  bound_ = *std::move(bound);
  address_.port = bound_.port;
  listening_ = true;
  return absl::OkStatus();
}

absl::Status InboundSocket::ListenAnew() {
  absl::Status status = listening_ ? Unbind() : absl::OkStatus();
  if (status.ok()) listening_ = false;
  for (int i = 0; status.ok() && !listening_; ++i) {
    status = TryToListen();
    if (absl::IsAlreadyExists(status) && i < kRebindTries) {
      poll(nullptr, 0, kRebindPauseMs);
      status = absl::OkStatus();
    }
  }
  return status;
}

absl::Status InboundSocket::TryToListen() {
  absl::Status status = CatchZmq("listen with other keys",
                                 [this] { SecurePull(*keys_->Get(), &pull_); });
  return status.ok() ? BindAndNote() : status;
}

// One message does for all who call before it is received.
void InboundSocket::Wake() {
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

// A stranger's empty message is taken for one at most where nothing tells that
// it came by a connection, and at a moment when one is due.
bool InboundSocket::IsWakeUp() {
  return !incoming_.more() &&
         zmq_msg_gets(incoming_.handle(), "Socket-Type") == nullptr &&
         woken_.exchange(false);
}

bool InboundSocket::NextRejection(Rejection* rejection) {
  ConnectionEvent event;
  while (monitor_.Next(&event)) {
    if (!event.rejection) continue;
    *rejection = {*event.rejection, absl::nullopt,
                  absl::StrCat("a connection was closed in its handshake: ",
                               event.reason)};
    return true;
  }
  return false;
}

bool InboundSocket::Identify(absl::optional<int>* identity,
                             Rejection* rejection) {
  *identity = absl::nullopt;
  if (keys_ == nullptr) return true;
  const char* const text = zmq_msg_gets(incoming_.handle(), "User-Id");
  const absl::optional<UserId> user =
      text == nullptr ? absl::nullopt : ParseUserId(text);
  if (!user) {
    *rejection = {RefusalReason::kUnauthenticated, absl::nullopt,
                  "a message came on a connection that proved nothing"};
    return false;
  }
  if (!keys_->Get()->IsCurrent(*user)) {
    *rejection = {RefusalReason::kUnauthenticated, user->peer,
                  absl::StrCat("a message came on a connection of server ",
                               user->peer, " with a key that is revoked")};
    return false;
  }
  *identity = user->peer;
  return true;
}

// False: none came in time.
bool InboundSocket::TakePart(int wait_ms) {
  if (wait_ms != 0 && wait_ms != wait_ms_) {
    pull_.set(zmq::sockopt::rcvtimeo, wait_ms);
    wait_ms_ = wait_ms;
  }
  int result;
  do {
    result = zmq_msg_recv(incoming_.handle(), pull_.handle(),
                          wait_ms == 0 ? ZMQ_DONTWAIT : 0);
  } while (result < 0 && zmq_errno() == EINTR);
  CLUSTER_CHECK(result >= 0 || zmq_errno() == EAGAIN, "zmq_msg_recv failed");
  return result >= 0;
}

Slice InboundSocket::Share(zmq::message_t* part) {
  auto message = std::allocate_shared<zmq::message_t>(
      buffers_->For<zmq::message_t>(), std::move(*part));
  const absl::string_view bytes(static_cast<const char*>(message->data()),
                                message->size());
  return Slice{std::move(message), bytes};
}

InboundSocket::Result InboundSocket::Receive(int wait_ms, ReceivedFrame* frame,
                                             Rejection* rejection) {
  if (!TakePart(wait_ms)) return Result::kEmpty;
  const std::size_t bytes = incoming_.size();
  if (bytes == 0 && IsWakeUp()) return Result::kWoken;
  if (inside_parts_ || incoming_.more()) return ReceiveParts(frame, rejection);
  if (!Identify(&frame->identity, rejection)) return Result::kRejected;
  if (bytes > frame_bytes_max_)
    return Reject("a message over the limit", *frame, rejection);
  frame->slice = Share(&incoming_);
  return Result::kFrame;
}

// Two parts are a header and a body; more, or what is left of them, are none of
// ours.
InboundSocket::Result InboundSocket::ReceiveParts(ReceivedFrame* frame,
                                                  Rejection* rejection) {
  const bool late = inside_parts_;
  zmq::message_t head;
  if (!late) {
    head.swap(incoming_);
    CLUSTER_CHECK(TakePart(0), "ZeroMQ hands over whole messages");
  }
  inside_parts_ = incoming_.more();
  if (!Identify(&frame->identity, rejection)) return Result::kRejected;
  if (late || inside_parts_)
    return Reject("a message of many parts", *frame, rejection);
  if (head.size() + incoming_.size() > frame_bytes_max_)
    return Reject("a message over the limit", *frame, rejection);
  const bool headed = !head.empty();
  frame->slice = Share(headed ? &head : &incoming_);
  if (headed) frame->rest = Share(&incoming_);
  return Result::kFrame;
}

// Told once, with the message's last part.
InboundSocket::Result InboundSocket::Reject(const char* reason,
                                            const ReceivedFrame& frame,
                                            Rejection* rejection) const {
  *rejection = {RefusalReason::kMalformed, frame.identity, reason};
  return inside_parts_ ? Result::kDropped : Result::kRejected;
}

}  // namespace zmq_backend
}  // namespace cluster::internal
