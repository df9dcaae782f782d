// The ZeroMQ context in which a transport makes its sockets: its own, or with
// the option `share_context` one for all such transports of the process.
//
// A context has a thread for each of io_threads and one more. With a context
// each, dozens of servers in a process have so many threads that senders hardly
// run. One context has as many as for one server. A transport with security has
// its own: ZeroMQ asks one ZAP handler per context.
//
// Thread-safe. A context ends with its last owner, once its closed sockets are
// gone. The owner waits for its own context. A shared one ends on a thread of
// its own, since other servers' sockets may linger longer. NewContext throws
// zmq::error_t.
//
//   std::shared_ptr<zmq::context_t> context = NewContext(settings);
//   zmq::socket_t pull(*context, zmq::socket_type::pull);
//   ...
//   auto end = LeaveContext(std::move(context));
//   if (end != nullptr) end->WaitFor(linger);

#ifndef CLUSTER_TRANSPORT_ZMQ_CONTEXT_H_
#define CLUSTER_TRANSPORT_ZMQ_CONTEXT_H_

#include <chrono>
#include <memory>

#include "cluster/base/mutex.h"
#include "cluster/transport/zmq/settings.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace zmq_backend {

std::shared_ptr<zmq::context_t> NewContext(const ZmqSettings& settings);

// Waits for the end of a shared context.
class ContextEnd {
 public:
  void Come();
  void WaitFor(std::chrono::milliseconds time);

 private:
  Mutex mutex_;
  CondVar changed_;
  bool come_ CLUSTER_GUARDED_BY(mutex_) = false;
};

// Gives a share back, after all its sockets are closed. Returns the end of the
// context to wait for; null if others still use it or it was an own one.
std::shared_ptr<ContextEnd> LeaveContext(
    std::shared_ptr<zmq::context_t> context);

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_CONTEXT_H_
