// ConnectionMonitor: events of one PUSH socket's connection, or of the connections
// that a PULL socket turned away.
//
// It reads the socket's monitor and boils its events down to a few kinds;
// outbound_peer.h decides what to report. Unread events have no bound, so a
// late reader never stops ZeroMQ's I/O thread, which waits for room in its
// monitors. An accepted connection that ends in its handshake is one event
// (accepted_connections.h).
//
// One thread at a time. Make it before the socket connects, and destroy it
// before the socket. Otherwise the I/O thread would write to a closed reader
// and wait for ever. The constructor throws zmq::error_t.
//
//   ConnectionMonitor monitor(&context, &push, ConnectionMonitor::Scope::kDialled);
//   poll_set.Add(monitor.fd(), key);
//   ConnectionEvent event;
//   while (monitor.Next(&event)) ...

#ifndef CLUSTER_TRANSPORT_ZMQ_CONNECTION_MONITOR_H_
#define CLUSTER_TRANSPORT_ZMQ_CONNECTION_MONITOR_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/types/optional.h"
#include "cluster/transport/security.h"
#include "cluster/transport/zmq/accepted_connections.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace zmq_backend {

struct ConnectionEvent {
  enum class Kind {
    kUp,               // the handshake is done
    kHandshakeFailed,  // kLost follows
    kLost,             // the connection broke
    kRetry,            // the next attempt is scheduled
    kListenerClosed,   // its address is free again
  };
  Kind kind = Kind::kUp;
  std::string reason;  // of kHandshakeFailed and kRetry
  // Of kHandshakeFailed, unless the other end hung up by itself.
  absl::optional<RefusalReason> rejection;
};

class ConnectionMonitor {
 public:
  enum class Scope {
    kDialled,   // all kinds
    kAccepted,  // kListenerClosed and kHandshakeFailed, the latter not where
                // ZAP was asked: its handler knows more (zap.h)
  };

  // `handshake_timeout` is the socket's; kAccepted asks for it.
  ConnectionMonitor(zmq::context_t* context, zmq::socket_t* watched,
                    Scope scope,
                    std::chrono::milliseconds handshake_timeout = {});
  ConnectionMonitor(const ConnectionMonitor&) = delete;
  ConnectionMonitor& operator=(const ConnectionMonitor&) = delete;
  ~ConnectionMonitor();

  // Readable when there may be events; edge-triggered, so after that call Next
  // until it returns false.
  int fd();

  // The next event, or false if there is none now. Does not block.
  bool Next(ConnectionEvent* event);

 private:
  // The next event as ZeroMQ has it.
  bool NextRaw(std::uint16_t* id, std::uint32_t* value);
  // Of kAccepted; false: nothing to tell.
  bool TranslateAccepted(std::uint16_t id, std::uint32_t value,
                         ConnectionEvent* event);

  zmq::socket_t* const watched_;
  zmq::socket_t reader_;
  absl::optional<AcceptedConnections> accepted_;  // of kAccepted
};

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_CONNECTION_MONITOR_H_
