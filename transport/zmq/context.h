// NewContext: the ZeroMQ context in which a transport makes its sockets, its
// own or, with the option `share_context`, one for all such transports of the
// process.
//
// What it is for: a context has a thread for each of io_threads and one more.
// A process with dozens of servers has so many threads then that they take the
// processors from each other, and whoever sends hardly runs; with one context
// there are as many as for one server.
// What it is not: for transports with security. ZeroMQ asks one ZAP handler per
// context, and each transport has keys of its own.
//
// Threads: safe. Ownership: the context ends with its last owner, which waits
// until what its sockets linger for is written. Errors: throws zmq::error_t.
//
//   std::shared_ptr<zmq::context_t> context = NewContext(settings);
//   zmq::socket_t pull(*context, zmq::socket_type::pull);

#ifndef TRANSPORT_ZMQ_CONTEXT_H_
#define TRANSPORT_ZMQ_CONTEXT_H_

#include <memory>

#include "transport/zmq/settings.h"
#include "zmq.hpp"

namespace cluster {
namespace zmq_backend {

std::shared_ptr<zmq::context_t> NewContext(const ZmqSettings& settings);

}  // namespace zmq_backend
}  // namespace cluster

#endif  // TRANSPORT_ZMQ_CONTEXT_H_
