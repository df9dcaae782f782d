// AcceptedConnections: tells silence from a hang-up, among connections that end in
// their handshake.
//
// ZeroMQ reports both with the last error of its thread. A hang-up always sets
// that error. The handshake's timer sets none, so it comes with "would block",
// or with the error of another connection's hang-up just before. The
// connection's age tells them apart then. The event after the one of the
// handshake has its descriptor, and ends it.
//
// It keeps as many connections as there are descriptors. If ZeroMQ does not
// report an end, the entry stays until its descriptor is used again. One thread
// at a time.
//
//   AcceptedConnections connections(handshake_timeout);
//   connections.Accepted(7, now);
//   connections.HandshakeEnded(ECONNRESET);
//   switch (connections.Disconnected(7, now)) ...

#ifndef CLUSTER_TRANSPORT_ZMQ_ACCEPTED_CONNECTIONS_H_
#define CLUSTER_TRANSPORT_ZMQ_ACCEPTED_CONNECTIONS_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>

namespace cluster::internal {
namespace zmq_backend {

class AcceptedConnections {
 public:
  using Clock = std::chrono::steady_clock;
  enum class End {
    kLater,   // after its handshake, or with a failure that has its own event
    kHungUp,  // by the other end, or the network
    kSilent,  // the handshake took too long
  };

  explicit AcceptedConnections(std::chrono::milliseconds handshake_timeout)
      : handshake_timeout_(handshake_timeout) {}

  void Accepted(std::uint32_t descriptor, Clock::time_point now) {
    begun_[descriptor] = now;
  }
  // ZeroMQ's error, for the next connection that ends.
  void HandshakeEnded(int error) { errors_.push_back(error); }
  End Disconnected(std::uint32_t descriptor, Clock::time_point now);

 private:
  const std::chrono::milliseconds handshake_timeout_;
  std::map<std::uint32_t, Clock::time_point> begun_;
  std::deque<int> errors_;
};

// Whether an error of a system call on a connection says that it is gone.
bool IsLoss(int error);

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_ACCEPTED_CONNECTIONS_H_
