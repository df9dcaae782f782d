// AcceptedLinks: tells silence from a hang-up, among connections that end in
// their handshake.
//
// ZeroMQ reports both with the error that its thread saw last. A hang-up always
// sets that; the timer of the handshake sets none, so it comes with "would
// block", or with the error of somebody else's hang-up that came just before.
// What tells them apart then is how long the connection lived. It ends with the
// event that follows the one of its handshake, and only that has its
// descriptor.
//
// What it is: the ages of connections, and the judgement. What it is not: aware
// of ZeroMQ.
//
// Memory: as many connections as there are descriptors. One whose end ZeroMQ
// does not report stays until its descriptor is another's.
// Threads: one at a time. Errors: none.
//
//   AcceptedLinks links(handshake_timeout);
//   links.Accepted(7, now);
//   links.HandshakeEnded(ECONNRESET);
//   switch (links.Disconnected(7, now)) ...

#ifndef CLUSTER_TRANSPORT_ZMQ_ACCEPTED_LINKS_H_
#define CLUSTER_TRANSPORT_ZMQ_ACCEPTED_LINKS_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>

namespace cluster {
namespace zmq_backend {

class AcceptedLinks {
 public:
  using Clock = std::chrono::steady_clock;
  enum class End {
    kLater,   // its handshake had been done, or its failure was told otherwise
    kHungUp,  // by the other end, or the network
    kSilent,  // the handshake took too long
  };

  explicit AcceptedLinks(std::chrono::milliseconds handshake_timeout)
      : handshake_timeout_(handshake_timeout) {}

  void Accepted(std::uint32_t descriptor, Clock::time_point now) {
    begun_[descriptor] = now;
  }
  // Of whatever connection is the next to end, with ZeroMQ's error.
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
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_ZMQ_ACCEPTED_LINKS_H_
