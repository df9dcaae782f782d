// The settings of the ZeroMQ backend, how they reach sockets, and calls of
// ZeroMQ.
//
// ZmqSettings has the backend's checked options and its part of
// TransportConfig. SetUp and Secure functions set every socket option whose
// default would lose messages, hang at exit or trust a stranger. They throw
// zmq::error_t, which CatchZmq turns into a Status.
//
//   absl::StatusOr<ZmqSettings> settings = ReadSettings(config);
//   absl::Status status = CatchZmq("open a socket", [&] {
//     push = zmq::socket_t(context, zmq::socket_type::push);
//     SetUpPush(*settings, address, &push);
//   });

#ifndef CLUSTER_TRANSPORT_ZMQ_SETTINGS_H_
#define CLUSTER_TRANSPORT_ZMQ_SETTINGS_H_

#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cluster/transport/address.h"
#include "cluster/transport/source_address.h"
#include "cluster/transport/transport.h"
#include "cluster/transport/zmq/curve_keys.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace zmq_backend {

struct ZmqSettings {
  int io_threads = 1;
  int send_hwm = 1000;       // frames
  int receive_hwm = 64;      // frames, per inbound connection
  int tcp_buffer_bytes = 0;  // 0: the system's
  SourceAddress source;
  int tcp_user_timeout_ms = 0;  // 0: the system's
  int keepalive_seconds = 15;   // 0: none
  bool share_context = false;
  std::size_t frame_bytes_max = 0;
  int handshake_ms = 0;
  bool secured = false;
};

// kInvalidArgument: an option is wrong.
absl::StatusOr<ZmqSettings> ReadSettings(const TransportConfig& config);

// Before connect and bind.
void SetUpPush(const ZmqSettings& settings, const Address& address,
               zmq::socket_t* socket);
void SetUpPull(const ZmqSettings& settings, const Address& address,
               zmq::socket_t* socket);

// With security, on top of these and before connect and bind. A PUSH socket
// speaks only to the holder of that peer's secret key. A PULL socket accepts
// only those that the ZAP handler knows; without a handler, nobody.
void SecurePush(const CurveKeys& keys, const CurvePeer& peer,
                zmq::socket_t* socket);
void SecurePull(const CurveKeys& keys, zmq::socket_t* socket);

// "cannot <what>: <text of errno_value>", with the code that fits.
absl::Status ZmqError(absl::string_view what, int errno_value);

// Calls ZeroMQ again while a signal interrupts the call, and returns its
// result. ZeroMQ looks for its own commands first, so nothing is done by then.
template <typename Call>
int Uninterrupted(Call&& call) {
  int result;
  do {
    result = call();
  } while (result < 0 && zmq_errno() == EINTR);
  return result;
}

// The same for calls whose failure is to be thrown.
template <typename Call>
void CallZmq(Call&& call) {
  if (Uninterrupted(call) < 0) throw zmq::error_t();
}

template <typename Function>
absl::Status CatchZmq(absl::string_view what, Function&& function) {
  try {
    std::forward<Function>(function)();
    return absl::OkStatus();
  } catch (const zmq::error_t& error) {
    return ZmqError(what, error.num());
  }
}

// Receives one part of a message without blocking. False: there is none.
bool ReceivePart(zmq::socket_t* socket, zmq::message_t* part);

// An address within the process that was never used: ZeroMQ frees one only some
// time after its socket is gone.
std::string NewInprocEndpoint();

// Whole milliseconds from `least` on, as ZeroMQ takes them.
int Milliseconds(absl::Duration duration, int least);

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_SETTINGS_H_
