// ConnectionMonitor: ZeroMQ's events of one socket's connections.
// AcceptedConnections: the accepted ones to report as rejected.
//
// A monitor keeps any number of unread events. So a late reader never stops
// ZeroMQ's I/O thread, which waits for room in its monitors. One thread at a
// time.
//
//   ConnectionMonitor monitor(&context, &push, kDialledEvents);
//   poll_set.Add(monitor.fd(), key);
//   SocketEvent event;
//   while (monitor.Next(&event)) ...

#ifndef CLUSTER_TRANSPORT_ZMQ_CONNECTION_MONITOR_H_
#define CLUSTER_TRANSPORT_ZMQ_CONNECTION_MONITOR_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>

#include "absl/types/optional.h"
#include "cluster/transport/security.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace zmq_backend {

struct SocketEvent {
  std::uint16_t id = 0;  // ZMQ_EVENT_*, which says what `value` is
  std::uint32_t value = 0;
};

// Of a PUSH socket. CONNECTED has the descriptor. DISCONNECTED follows a failed
// handshake.
inline constexpr int kDialledEvents =
    ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
    ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
    ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED |
    ZMQ_EVENT_CONNECT_RETRIED;
// Of a PULL socket. CLOSED says that the listener's address is free again.
// ZAP's handler knows more of the handshakes that it refuses (zap.h).
inline constexpr int kAcceptedEvents =
    ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_DISCONNECTED |
    ZMQ_EVENT_CLOSED;

class ConnectionMonitor {
 public:
  // Make it before the socket connects or binds, and destroy it before the
  // socket. Otherwise the I/O thread would write to a closed reader and wait
  // for ever. Throws zmq::error_t.
  ConnectionMonitor(zmq::context_t* context, zmq::socket_t* watched,
                    int events);
  ConnectionMonitor(const ConnectionMonitor&) = delete;
  ConnectionMonitor& operator=(const ConnectionMonitor&) = delete;
  ~ConnectionMonitor();

  // Readable when there may be events; edge-triggered, so after that call Next
  // until it returns false.
  int fd();

  // The next event, or false if there is none now. Does not block.
  bool Next(SocketEvent* event);

 private:
  zmq::socket_t* const watched_;
  zmq::socket_t reader_;
};

// Why a handshake failed, from a ZMQ_EVENT_HANDSHAKE_FAILED_*.
Rejection ExplainFailure(const SocketEvent& event);

// Tells silence from a hang-up among connections that end in their handshake.
//
// ZeroMQ reports both with the last error of its thread. A hang-up always sets
// that error. The handshake's timer sets none, so it comes with "would block",
// or with the error of another connection's hang-up just before. The
// connection's age tells them apart then. DISCONNECTED has the descriptor, and
// follows the event of the handshake.
//
// It keeps as many connections as there are descriptors. If ZeroMQ does not
// report an end, the entry stays until its descriptor is used again.
class AcceptedConnections {
 public:
  using Clock = std::chrono::steady_clock;

  explicit AcceptedConnections(std::chrono::milliseconds handshake_timeout)
      : handshake_timeout_(handshake_timeout) {}

  // Takes an event of kAcceptedEvents. Returns the rejection that it completes.
  absl::optional<Rejection> Note(const SocketEvent& event,
                                 Clock::time_point now);

 private:
  bool EndedInSilence(std::uint32_t descriptor, Clock::time_point now);

  const std::chrono::milliseconds handshake_timeout_;
  std::map<std::uint32_t, Clock::time_point> begun_;  // by descriptor
  std::deque<int> errors_;  // of handshakes, for the next connections that end
};

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_CONNECTION_MONITOR_H_
