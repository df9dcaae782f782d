#include "cluster/transport/zmq/connection_monitor.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cluster/transport/zmq/settings.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

constexpr int kBothEvents = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                            ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                            ZMQ_EVENT_DISCONNECTED;
constexpr int kAcceptedEvents =
    kBothEvents | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CLOSED;
constexpr int kDialledEvents = kBothEvents | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                               ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                               ZMQ_EVENT_CONNECT_RETRIED;

// Receives one part; false if there is none.
bool ReceivePart(zmq::socket_t* socket, zmq::message_t* part) {
  int result;
  do {
    result = zmq_msg_recv(part->handle(), socket->handle(), ZMQ_DONTWAIT);
  } while (result < 0 && zmq_errno() == EINTR);
  return result >= 0;
}

ConnectionEvent HandshakeFailed(RefusalReason rejection, std::string reason) {
  ConnectionEvent event;
  event.kind = ConnectionEvent::Kind::kHandshakeFailed;
  event.reason = std::move(reason);
  event.rejection = rejection;
  return event;
}

ConnectionEvent TookTooLong() {
  return HandshakeFailed(RefusalReason::kSilent,
                         "not done within handshake_timeout");
}

ConnectionEvent HungUp(std::string reason) {
  ConnectionEvent event =
      HandshakeFailed(RefusalReason::kSilent, std::move(reason));
  event.rejection = absl::nullopt;
  return event;
}

ConnectionEvent ProtocolError(std::uint32_t code) {
  switch (code) {
    case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
      return HandshakeFailed(
          RefusalReason::kUnauthenticated,
          "one end has security and the other is plaintext, or no ZeroMQ");
    case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
      return HandshakeFailed(RefusalReason::kUnauthenticated,
                             "it was meant for another server key");
    default:
      return HandshakeFailed(
          RefusalReason::kMalformed,
          absl::StrFormat("ZeroMQ protocol error 0x%08x", code));
  }
}

// False: an event that is not asked for.
bool Translate(std::uint16_t id, std::uint32_t value, ConnectionEvent* event) {
  switch (id) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      *event = {ConnectionEvent::Kind::kUp, "", {}};
      return true;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      *event = IsLoss(static_cast<int>(value))
                   ? HungUp(zmq_strerror(static_cast<int>(value)))
                   : TookTooLong();
      return true;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      *event = ProtocolError(value);
      return true;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      *event = HandshakeFailed(
          RefusalReason::kUnauthenticated,
          absl::StrCat("refused by authentication, code ", value));
      return true;
    case ZMQ_EVENT_DISCONNECTED:
      *event = {ConnectionEvent::Kind::kLost, "", {}};
      return true;
    case ZMQ_EVENT_CONNECT_RETRIED:
      *event = {ConnectionEvent::Kind::kRetry,
                absl::StrCat("next attempt in ", value, " ms"),
                {}};
      return true;
    case ZMQ_EVENT_CLOSED:
      *event = {ConnectionEvent::Kind::kListenerClosed, "", {}};
      return true;
    default:
      return false;
  }
}

// One that no other monitor of the process uses, nor one that was just
// destroyed: ZeroMQ frees a name some time after that.
std::string NewEndpoint() {
  static std::atomic<std::uint64_t> made{0};
  return absl::StrCat("inproc://monitor-", ++made);
}

}  // namespace

ConnectionMonitor::ConnectionMonitor(
    zmq::context_t* context, zmq::socket_t* watched, Scope scope,
    std::chrono::milliseconds handshake_timeout)
    : watched_(watched), reader_(*context, zmq::socket_type::pair) {
  if (scope == Scope::kAccepted) accepted_.emplace(handshake_timeout);
  reader_.set(zmq::sockopt::linger, 0);
  reader_.set(zmq::sockopt::rcvhwm, 0);
  const std::string endpoint = NewEndpoint();
  const int events =
      scope == Scope::kDialled ? kDialledEvents : kAcceptedEvents;
  CallZmq([&] {
    return zmq_socket_monitor(watched->handle(), endpoint.c_str(), events);
  });
  try {
    CallZmq([&] { return zmq_connect(reader_.handle(), endpoint.c_str()); });
  } catch (const zmq::error_t&) {
    zmq_socket_monitor(watched->handle(), nullptr, 0);
    throw;
  }
  // The writer rings only for a reader that has found nothing before.
  ConnectionEvent none;
  Next(&none);
}

ConnectionMonitor::~ConnectionMonitor() {
  zmq_socket_monitor(watched_->handle(), nullptr, 0);
}

int ConnectionMonitor::fd() { return reader_.get(zmq::sockopt::fd); }

bool ConnectionMonitor::Next(ConnectionEvent* event) {
  std::uint16_t id = 0;
  std::uint32_t value = 0;
  while (NextRaw(&id, &value)) {
    if (accepted_ ? TranslateAccepted(id, value, event)
                  : Translate(id, value, event)) {
      return true;
    }
  }
  return false;
}

bool ConnectionMonitor::TranslateAccepted(std::uint16_t id, std::uint32_t value,
                                          ConnectionEvent* event) {
  const auto now = AcceptedConnections::Clock::now();
  switch (id) {
    case ZMQ_EVENT_ACCEPTED:
      accepted_->Accepted(value, now);
      return false;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      accepted_->HandshakeEnded(static_cast<int>(value));
      return false;
    case ZMQ_EVENT_DISCONNECTED:
      break;
    default:
      return Translate(id, value, event);
  }
  switch (accepted_->Disconnected(value, now)) {
    case AcceptedConnections::End::kLater:
      return false;
    case AcceptedConnections::End::kHungUp:
      *event = HungUp("it hung up");
      return true;
    case AcceptedConnections::End::kSilent:
      *event = TookTooLong();
      return true;
  }
  return false;
}

bool ConnectionMonitor::NextRaw(std::uint16_t* id, std::uint32_t* value) {
  zmq::message_t part;
  while (ReceivePart(&reader_, &part)) {
    const bool is_event = part.size() == sizeof(*id) + sizeof(*value);
    if (is_event) {
      const char* bytes = static_cast<const char*>(part.data());
      std::memcpy(id, bytes, sizeof(*id));
      std::memcpy(value, bytes + sizeof(*id), sizeof(*value));
    }
    // The second part is the endpoint, which the reader knows.
    while (part.more() && ReceivePart(&reader_, &part)) {
    }
    if (is_event) return true;
  }
  return false;
}

}  // namespace zmq_backend
}  // namespace cluster::internal
