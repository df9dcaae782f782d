#include "cluster/transport/zmq/settings.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "cluster/transport/zmq/endpoint.h"
#include "cluster/transport/zmq/zap.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

// From 20 ms, doubled up to 1 s; ZeroMQ adds its own jitter.
constexpr int kReconnectMs = 20;
constexpr int kReconnectMsMax = 1000;

constexpr int kBacklog = 511;

// By default a silent path is given up after about a minute; faster detection is
// the business of the layer above.
constexpr int kKeepaliveProbes = 3;
constexpr int kKeepaliveSecondsMax = 32767;  // the system's

// ZeroMQ's handshake counts as messages too, so this much is always let in.
constexpr std::size_t kHandshakeBytes = 512;

// A peer only shakes hands on a connection that we dial.
constexpr std::int64_t kReplyBytesMax = 8192;

// CURVE puts 33 bytes around each message on the wire.
constexpr std::size_t kCurveBytes = 64;

// ZMQ_ZAP_ENFORCE_DOMAIN, which the header shows to users of the draft API
// only, while the library always has it. Without it, CURVE lets everybody in
// when no ZAP handler is there.
constexpr int kZapEnforceDomain = 93;

void SetOption(int option, const void* value, std::size_t bytes,
               zmq::socket_t* socket) {
  if (zmq_setsockopt(socket->handle(), option, value, bytes) != 0)
    throw zmq::error_t();
}

void SetKey(int option, const CurveKey& key, zmq::socket_t* socket) {
  SetOption(option, key.data(), key.size(), socket);
}

// As text, terminating zero and all.
void SetOwnKey(const CurveKeys& keys, zmq::socket_t* socket) {
  SetOption(ZMQ_CURVE_SECRETKEY, keys.own_secret().c_str(),
            keys.own_secret().size() + 1, socket);
}

void SetUpBoth(const ZmqSettings& settings, const Address& address,
               zmq::socket_t* socket) {
  socket->set(zmq::sockopt::linger, 0);
  socket->set(zmq::sockopt::ipv6, UsesV6(address));
  socket->set(zmq::sockopt::handshake_ivl, settings.handshake_ms);
  const int keepalive = settings.keepalive_seconds;
  socket->set(zmq::sockopt::tcp_keepalive, keepalive > 0 ? 1 : 0);
  if (keepalive > 0) {
    socket->set(zmq::sockopt::tcp_keepalive_idle, keepalive);
    socket->set(zmq::sockopt::tcp_keepalive_intvl, keepalive);
    socket->set(zmq::sockopt::tcp_keepalive_cnt, kKeepaliveProbes);
  }
  // Sets TCP_USER_TIMEOUT.
  if (settings.tcp_user_timeout_ms > 0)
    socket->set(zmq::sockopt::tcp_maxrt, settings.tcp_user_timeout_ms);
  if (settings.tcp_buffer_bytes > 0) {
    socket->set(zmq::sockopt::sndbuf, settings.tcp_buffer_bytes);
    socket->set(zmq::sockopt::rcvbuf, settings.tcp_buffer_bytes);
  }
}

}  // namespace

absl::StatusOr<ZmqSettings> ReadSettings(const TransportConfig& config) {
  ZmqSettings settings;
  OptionReader reader(config.options);
  const auto integer = [&reader](absl::string_view key, int fallback, int least,
                                 int most) {
    return static_cast<int>(reader.Int(key, fallback, least, most));
  };
  settings.io_threads = integer("io_threads", settings.io_threads, 1, 16);
  settings.send_hwm = integer("send_hwm", settings.send_hwm, 1, 1000000);
  settings.receive_hwm =
      integer("receive_hwm", settings.receive_hwm, 1, 1000000);
  settings.tcp_buffer_bytes = integer("tcp_buffer_bytes", 0, 0, 1 << 30);
  settings.source = SourceAddress::Read(config.options, &reader);
  settings.tcp_user_timeout_ms =
      integer("tcp_user_timeout_ms", settings.tcp_user_timeout_ms, 0, 1 << 30);
  settings.keepalive_seconds = integer(
      "keepalive_seconds", settings.keepalive_seconds, 0, kKeepaliveSecondsMax);
  settings.share_context = reader.Bool("share_context", false);
  settings.secured = config.security.has_value();
  if (settings.secured && settings.share_context) {
    reader.Fail("share_context",
                "not with security: ZeroMQ has one authentication handler per "
                "context, and each server has keys of its own; leave it out");
  }
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  settings.frame_bytes_max = config.frame_bytes_max;
  settings.handshake_ms = Milliseconds(config.handshake_timeout, 1);
  return settings;
}

void SetUpPush(const ZmqSettings& settings, const Address& address,
               zmq::socket_t* socket) {
  SetUpBoth(settings, address, socket);
  socket->set(zmq::sockopt::sndhwm, settings.send_hwm);
  socket->set(zmq::sockopt::rcvhwm, 1);
  socket->set(zmq::sockopt::maxmsgsize, kReplyBytesMax);
  socket->set(zmq::sockopt::reconnect_ivl, kReconnectMs);
  socket->set(zmq::sockopt::reconnect_ivl_max, kReconnectMsMax);
  // Else a host that swallows packets is dialled once in two minutes.
  socket->set(zmq::sockopt::connect_timeout, settings.handshake_ms);
}

void SetUpPull(const ZmqSettings& settings, const Address& address,
               zmq::socket_t* socket) {
  SetUpBoth(settings, address, socket);
  socket->set(zmq::sockopt::rcvhwm, settings.receive_hwm);
  const std::size_t bytes_max =
      std::max(settings.frame_bytes_max, kHandshakeBytes) +
      (settings.secured ? kCurveBytes : 0);
  socket->set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(bytes_max));
  socket->set(zmq::sockopt::backlog, kBacklog);
}

void SecurePush(const CurveKeys& keys, const CurvePeer& peer,
                zmq::socket_t* socket) {
  SetOwnKey(keys, socket);
  SetKey(ZMQ_CURVE_PUBLICKEY, keys.own_public(), socket);
  SetKey(ZMQ_CURVE_SERVERKEY, peer.key, socket);
}

void SecurePull(const CurveKeys& keys, zmq::socket_t* socket) {
  socket->set(zmq::sockopt::curve_server, true);
  SetOwnKey(keys, socket);
  socket->set(zmq::sockopt::zap_domain, kZapDomain);
  const int enforce = 1;
  SetOption(kZapEnforceDomain, &enforce, sizeof(enforce), socket);
}

absl::Status ZmqError(absl::string_view what, int errno_value) {
  const std::string text =
      absl::StrCat("cannot ", what, ": ", zmq_strerror(errno_value));
  switch (errno_value) {
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(text);
    case EADDRINUSE:
      return absl::AlreadyExistsError(text);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(text);
    case EINVAL:
      return absl::InvalidArgumentError(text);
    case EADDRNOTAVAIL:
    case ENODEV:
    case ENOENT:
    case ENOTDIR:
      return absl::FailedPreconditionError(text);
    default:
      return absl::InternalError(text);
  }
}

bool ReceivePart(zmq::socket_t* socket, zmq::message_t* part) {
  return Uninterrupted([&] {
           return zmq_msg_recv(part->handle(), socket->handle(), ZMQ_DONTWAIT);
         }) >= 0;
}

std::string NewInprocEndpoint() {
  static std::atomic<std::uint64_t> made{0};
  return absl::StrCat("inproc://cluster-", ++made);
}

int Milliseconds(absl::Duration duration, int least) {
  return static_cast<int>(
      std::clamp<std::int64_t>(absl::ToInt64Milliseconds(duration), least,
                               std::numeric_limits<int>::max()));
}

}  // namespace zmq_backend
}  // namespace cluster::internal
