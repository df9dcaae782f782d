// InboundSocket: the PULL socket on which every peer's frames arrive.
//
// What it is: the bound socket, and its messages as frames that share their
// buffer. Messages of many parts, and ones over the limit, are thrown away.
// What it is not: a thread.
//
// Threads: one at a time; a lock in between hands it over. A received frame may
// be kept and released anywhere, also after the socket is closed. Errors: Open
// as endpoint.h's Bind.
//
//   absl::StatusOr<std::unique_ptr<InboundSocket>> inbound =
//       InboundSocket::Open(&context, settings, address);
//   ReceivedFrame frame;
//   while ((*inbound)->Receive(&frame) != InboundSocket::Result::kEmpty) ...

#ifndef TRANSPORT_ZMQ_INBOUND_SOCKET_H_
#define TRANSPORT_ZMQ_INBOUND_SOCKET_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "transport/address.h"
#include "transport/buffer_pool.h"
#include "transport/frame.h"
#include "transport/zmq/settings.h"
#include "zmq.hpp"

namespace cluster {
namespace zmq_backend {

class InboundSocket {
 public:
  enum class Result {
    kFrame,
    kDropped,  // something that is no frame came
    kEmpty,    // nothing is at hand, and fd() tells when that changes
  };

  static absl::StatusOr<std::unique_ptr<InboundSocket>> Open(
      zmq::context_t* context, const ZmqSettings& settings,
      const Address& address);
  InboundSocket(const InboundSocket&) = delete;
  InboundSocket& operator=(const InboundSocket&) = delete;
  ~InboundSocket();

  // With its port resolved.
  const Address& address() const { return address_; }

  // Edge-triggered: armed by a Receive that answered kEmpty, and only by that.
  int fd();

  // Takes one message. Does not block.
  Result Receive(ReceivedFrame* frame);

 private:
  InboundSocket(zmq::socket_t pull, Address address,
                std::size_t frame_bytes_max);

  zmq::socket_t pull_;
  const Address address_;
  const std::size_t frame_bytes_max_;
  const std::shared_ptr<BufferPool> buffers_ = std::make_shared<BufferPool>();
  zmq::message_t incoming_;
  bool inside_parts_ = false;  // the next part goes on with a dropped message
};

}  // namespace zmq_backend
}  // namespace cluster

#endif  // TRANSPORT_ZMQ_INBOUND_SOCKET_H_
