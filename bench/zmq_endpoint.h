// ZmqEndpoint: a bare ZeroMQ socket for the baselines.
//
// Its queues are long enough. It has a context of its own, or borrows that of
// another endpoint, which must outlive it. One thread at a time, except for
// Shutdown. Errors abort.
//
//   ZmqEndpoint pull(ZMQ_PULL, 64);
//   pull.Bind(Scheme::kTcp);
//   ZmqEndpoint push(ZMQ_PUSH, 64);
//   push.Dial(pull);

#ifndef BENCH_ZMQ_ENDPOINT_H_
#define BENCH_ZMQ_ENDPOINT_H_

#include <zmq.h>

#include <cstddef>
#include <functional>

#include "absl/strings/string_view.h"
#include "bench/raw_fanout.h"

namespace cluster {
namespace bench {

class ZmqEndpoint {
 public:
  ZmqEndpoint(int type, std::size_t message_bytes)
      : ZmqEndpoint(zmq_ctx_new(), type, message_bytes) {
    own_context_ = true;
  }
  ZmqEndpoint(const ZmqEndpoint& neighbour, int type, std::size_t message_bytes)
      : ZmqEndpoint(neighbour.context_, type, message_bytes) {}
  ~ZmqEndpoint();
  ZmqEndpoint(const ZmqEndpoint&) = delete;
  ZmqEndpoint& operator=(const ZmqEndpoint&) = delete;

  void Bind(Scheme scheme);
  void Dial(const ZmqEndpoint& other);

  void Send(zmq_msg_t* message);
  // False once Shutdown was called.
  bool Receive(zmq_msg_t* message);
  // Gives `receive` each message until Shutdown is called.
  void ReceiveAll(const std::function<void(absl::string_view)>& receive);
  // Ends all waits of other threads in the context.
  void Shutdown() { zmq_ctx_shutdown(context_); }

 private:
  ZmqEndpoint(void* context, int type, std::size_t message_bytes);

  void* const context_;
  void* const socket_;
  bool own_context_ = false;
};

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_ZMQ_ENDPOINT_H_
