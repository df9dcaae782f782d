// RefusalProbe: whether a host refuses connections to the address that a lost
// connection had.
//
// ZeroMQ does not say why an attempt failed. So a socket of our own dials the same
// number, without blocking, and is closed at once. A listener sees a connection
// that hangs up before it says anything, which is no failure. Not thread-safe.
//
//   probe.Remember(fd);                        // when it is connected
//   if (probe.Ask() == RefusalProbe::Answer::kRefused) ...   // when it is lost

#ifndef CLUSTER_TRANSPORT_ZMQ_REFUSAL_PROBE_H_
#define CLUSTER_TRANSPORT_ZMQ_REFUSAL_PROBE_H_

#include <sys/socket.h>

namespace cluster::internal {
namespace zmq_backend {

class RefusalProbe {
 public:
  enum class Answer {
    kNone,     // not yet: ask again later
    kRefused,  // nobody listens there
    kOther,    // somebody listens, or the host cannot be reached
  };

  RefusalProbe() = default;
  RefusalProbe(const RefusalProbe&) = delete;
  RefusalProbe& operator=(const RefusalProbe&) = delete;
  ~RefusalProbe() { Hang(); }

  // The far end of this connection is what Ask asks. Any descriptor may be given.
  void Remember(int connection);

  // Dials; or tells what came of the dial before.
  Answer Ask();

 private:
  Answer Dial();
  void Hang();

  sockaddr_storage address_{};
  socklen_t address_bytes_ = 0;  // 0: none is known
  int socket_ = -1;              // while it dials
};

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_REFUSAL_PROBE_H_
