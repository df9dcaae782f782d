// Sockets: the context, settings and keys that all sockets of one transport
// use.
//
// A ZeroMQ context has a thread for each of io_threads and one more. So dozens
// of servers in a process should share one (`share_context`). A transport with
// security has its own: ZeroMQ asks one ZAP handler per context.
//
// A context ends with its last owner, once its closed sockets are gone. The
// owner waits for its own context. A shared one ends on a thread of its own,
// since other servers' sockets may linger longer. The functions are
// thread-safe.
//
//   std::shared_ptr<zmq::context_t> context = NewContext(settings);
//   ...
//   std::shared_future<void> end = LeaveContext(std::move(context));
//   if (end.valid()) end.wait_for(linger);

#ifndef CLUSTER_TRANSPORT_ZMQ_CONTEXT_H_
#define CLUSTER_TRANSPORT_ZMQ_CONTEXT_H_

#include <future>
#include <memory>

#include "cluster/base/buffer_pool.h"
#include "cluster/transport/zmq/curve_keys.h"
#include "cluster/transport/zmq/poll_set.h"
#include "cluster/transport/zmq/settings.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace zmq_backend {

// Throws zmq::error_t.
std::shared_ptr<zmq::context_t> NewContext(const ZmqSettings& settings);

// Gives a share back, after all its sockets are closed. Returns the end of the
// context to wait for; not valid if others still use it or it was an own one.
std::shared_future<void> LeaveContext(std::shared_ptr<zmq::context_t> context);

// Outlives the sockets.
struct Sockets {
  ZmqSettings settings;
  std::unique_ptr<CurveKeyRing> keys;  // null: no security
  // From Start on.
  std::shared_ptr<zmq::context_t> context;
  std::unique_ptr<PollSet> poll_set;
  // Of frames that are sent uncopied.
  const std::shared_ptr<BufferPool> loans = std::make_shared<BufferPool>();
};

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_CONTEXT_H_
