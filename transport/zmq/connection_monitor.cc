#include "cluster/transport/zmq/connection_monitor.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cluster/transport/zmq/settings.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

constexpr char kTookTooLong[] = "not done within handshake_timeout";

// Whether an error of a system call on a connection says that it is gone.
bool IsLoss(int error) {
  switch (error) {
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

Rejection ProtocolError(std::uint32_t code) {
  switch (code) {
    case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
      return {RefusalReason::kUnauthenticated, absl::nullopt,
              "one end has security and the other is plaintext, or no ZeroMQ"};
    case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
      return {RefusalReason::kUnauthenticated, absl::nullopt,
              "it was meant for another server key"};
    default:
      return {RefusalReason::kMalformed, absl::nullopt,
              absl::StrFormat("ZeroMQ protocol error 0x%08x", code)};
  }
}

}  // namespace

ConnectionMonitor::ConnectionMonitor(zmq::context_t* context,
                                     zmq::socket_t* watched, int events)
    : watched_(watched), reader_(*context, zmq::socket_type::pair) {
  reader_.set(zmq::sockopt::linger, 0);
  reader_.set(zmq::sockopt::rcvhwm, 0);
  const std::string endpoint = NewInprocEndpoint();
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
  SocketEvent none;
  Next(&none);
}

ConnectionMonitor::~ConnectionMonitor() {
  zmq_socket_monitor(watched_->handle(), nullptr, 0);
}

int ConnectionMonitor::fd() { return reader_.get(zmq::sockopt::fd); }

bool ConnectionMonitor::Next(SocketEvent* event) {
  zmq::message_t part;
  while (ReceivePart(&reader_, &part)) {
    const bool is_event =
        part.size() == sizeof(event->id) + sizeof(event->value);
    if (is_event) {
      const char* bytes = static_cast<const char*>(part.data());
      std::memcpy(&event->id, bytes, sizeof(event->id));
      std::memcpy(&event->value, bytes + sizeof(event->id),
                  sizeof(event->value));
    }
    // The second part is the endpoint, which the reader knows.
    while (part.more() && ReceivePart(&reader_, &part)) {
    }
    if (is_event) return true;
  }
  return false;
}

Rejection ExplainFailure(const SocketEvent& event) {
  const int error = static_cast<int>(event.value);
  switch (event.id) {
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      return {RefusalReason::kSilent, absl::nullopt,
              IsLoss(error) ? zmq_strerror(error) : kTookTooLong};
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      return ProtocolError(event.value);
    default:
      return {RefusalReason::kUnauthenticated, absl::nullopt,
              absl::StrCat("refused by authentication, code ", event.value)};
  }
}

absl::optional<Rejection> AcceptedConnections::Note(const SocketEvent& event,
                                                    Clock::time_point now) {
  Rejection rejection;
  switch (event.id) {
    case ZMQ_EVENT_ACCEPTED:
      begun_[event.value] = now;
      return absl::nullopt;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      errors_.push_back(static_cast<int>(event.value));
      return absl::nullopt;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      rejection = ProtocolError(event.value);
      break;
    case ZMQ_EVENT_DISCONNECTED:
      if (!EndedInSilence(event.value, now)) return absl::nullopt;
      rejection = {RefusalReason::kSilent, absl::nullopt, kTookTooLong};
      break;
    default:
      return absl::nullopt;
  }
  rejection.reason = absl::StrCat("a connection was closed in its handshake: ",
                                  rejection.reason);
  return rejection;
}

// False: it hung up, ended after its handshake, or failed with an event of its
// own.
bool AcceptedConnections::EndedInSilence(std::uint32_t descriptor,
                                         Clock::time_point now) {
  const auto begun = begun_.find(descriptor);
  // Half of the time, since the events may be read late.
  const bool was_long =
      begun != begun_.end() && now - begun->second >= handshake_timeout_ / 2;
  if (begun != begun_.end()) begun_.erase(begun);
  if (errors_.empty()) return false;
  const int error = errors_.front();
  errors_.pop_front();
  return was_long || !IsLoss(error);
}

}  // namespace zmq_backend
}  // namespace cluster::internal
