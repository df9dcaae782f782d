#include "transport/zmq/inbound_socket.h"

#include <cerrno>
#include <utility>

#include "transport/check.h"
#include "transport/zmq/endpoint.h"

namespace cluster {
namespace zmq_backend {

absl::StatusOr<std::unique_ptr<InboundSocket>> InboundSocket::Open(
    zmq::context_t* context, const ZmqSettings& settings,
    const Address& address) {
  zmq::socket_t pull;
  absl::StatusOr<Address> bound = address;
  const absl::Status status = CatchZmq("open the receiving socket", [&] {
    pull = zmq::socket_t(*context, zmq::socket_type::pull);
    SetUpPull(settings, address, &pull);
    bound = Bind(address, &pull);
  });
  if (!status.ok()) return status;
  if (!bound.ok()) return bound.status();
  return std::unique_ptr<InboundSocket>(new InboundSocket(
      std::move(pull), *std::move(bound), settings.frame_bytes_max));
}

InboundSocket::InboundSocket(zmq::socket_t pull, Address address,
                             std::size_t frame_bytes_max)
    : pull_(std::move(pull)),
      address_(std::move(address)),
      frame_bytes_max_(frame_bytes_max) {}

InboundSocket::~InboundSocket() { RemoveSocketFile(address_); }

int InboundSocket::fd() { return pull_.get(zmq::sockopt::fd); }

InboundSocket::Result InboundSocket::Receive(ReceivedFrame* frame) {
  int result;
  do {
    result = zmq_msg_recv(incoming_.handle(), pull_.handle(), ZMQ_DONTWAIT);
  } while (result < 0 && zmq_errno() == EINTR);
  if (result < 0) {
    CLUSTER_CHECK(zmq_errno() == EAGAIN, "zmq_msg_recv failed");
    return Result::kEmpty;
  }
  const bool more = incoming_.more();
  const bool whole = !more && !inside_parts_;
  inside_parts_ = more;
  if (!whole || incoming_.size() > frame_bytes_max_) return Result::kDropped;

  auto message = std::allocate_shared<zmq::message_t>(
      buffers_->For<zmq::message_t>(), std::move(incoming_));
  const absl::string_view bytes(static_cast<const char*>(message->data()),
                                message->size());
  frame->slice = Slice{std::move(message), bytes};
  frame->identity = nullptr;
  return Result::kFrame;
}

}  // namespace zmq_backend
}  // namespace cluster
