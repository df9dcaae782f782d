#include "transport/zmq/outbound_message.h"

#include <cerrno>
#include <cstring>
#include <memory>

#include "transport/check.h"

namespace cluster {
namespace zmq_backend {
namespace {

using Share = std::shared_ptr<const void>;

void DropShare(void* /*bytes*/, void* share) {
  delete static_cast<Share*>(share);
}

// The slice that is all of the frame, if there is one.
const Slice* OnlySlice(const Frame& frame, std::size_t bytes) {
  for (const Slice& slice : frame.slices) {
    if (slice.bytes.empty()) continue;
    return slice.bytes.size() == bytes ? &slice : nullptr;
  }
  return nullptr;
}

void Borrow(const Slice& slice, zmq_msg_t* message) {
  auto share = std::make_unique<Share>(slice.owner);
  // ZeroMQ only reads, though its signature does not say so.
  char* bytes = const_cast<char*>(slice.bytes.data());
  const int result = zmq_msg_init_data(message, bytes, slice.bytes.size(),
                                       &DropShare, share.get());
  CLUSTER_CHECK(result == 0, "out of memory");
  share.release();
}

void Copy(const Frame& frame, std::size_t bytes, zmq_msg_t* message) {
  const int result = zmq_msg_init_size(message, bytes);
  CLUSTER_CHECK(result == 0, "out of memory");
  char* out = static_cast<char*>(zmq_msg_data(message));
  for (const Slice& slice : frame.slices) {
    if (slice.bytes.empty()) continue;
    std::memcpy(out, slice.bytes.data(), slice.bytes.size());
    out += slice.bytes.size();
  }
}

}  // namespace

bool SendFrame(zmq::socket_t* push, const Frame& frame, std::size_t bytes) {
  zmq_msg_t message;
  const Slice* only =
      bytes >= kUncopiedBytesMin ? OnlySlice(frame, bytes) : nullptr;
  if (only != nullptr) {
    Borrow(*only, &message);
  } else {
    Copy(frame, bytes, &message);
  }
  int result;
  do {
    result = zmq_msg_send(&message, push->handle(), ZMQ_DONTWAIT);
  } while (result < 0 && zmq_errno() == EINTR);
  if (result >= 0) return true;
  const int error = zmq_errno();
  zmq_msg_close(&message);
  CLUSTER_CHECK(error == EAGAIN, "zmq_msg_send failed");
  return false;
}

bool HasRoom(zmq::socket_t* push) {
  int events = 0;
  std::size_t size = sizeof(events);
  int result;
  do {
    result = zmq_getsockopt(push->handle(), ZMQ_EVENTS, &events, &size);
  } while (result < 0 && zmq_errno() == EINTR);
  CLUSTER_CHECK(result == 0, "ZMQ_EVENTS cannot be read");
  return (events & ZMQ_POLLOUT) != 0;
}

}  // namespace zmq_backend
}  // namespace cluster
