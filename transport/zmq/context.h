// The ZeroMQ context in which a transport makes its sockets: its own or, with
// the option `share_context`, one for all such transports of the process.
//
// A context has a thread for each of io_threads and one more. A process with
// dozens of servers has so many threads then that they take the processors from
// each other, and whoever sends hardly runs; with one context there are as many
// as for one server. Not for transports with security: ZeroMQ asks one ZAP
// handler per context, and each transport has keys of its own.
//
// Threads: safe. Ownership: a context ends with its last owner, and only when
// its closed sockets are gone. An own one is waited for. A shared one ends on a
// thread of its own, since the sockets of others may linger for longer.
// Errors: NewContext throws zmq::error_t.
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

namespace cluster {
namespace zmq_backend {

std::shared_ptr<zmq::context_t> NewContext(const ZmqSettings& settings);

// The end of a shared context, to be waited for.
class ContextEnd {
 public:
  void Come();
  void WaitFor(std::chrono::milliseconds time);

 private:
  Mutex mutex_;
  CondVar changed_;
  bool come_ CLUSTER_GUARDED_BY(mutex_) = false;
};

// Gives a share back, after all sockets that were made with it are closed.
// Returns what may be waited for; null if that is nothing: others use the
// context, or it was an own one.
std::shared_ptr<ContextEnd> LeaveContext(
    std::shared_ptr<zmq::context_t> context);

}  // namespace zmq_backend
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_ZMQ_CONTEXT_H_
