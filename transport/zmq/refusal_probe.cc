#include "cluster/transport/zmq/refusal_probe.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace cluster::internal {
namespace zmq_backend {
namespace {

// ENOENT: of a Unix socket whose file is gone.
RefusalProbe::Answer Meaning(int error) {
  return error == ECONNREFUSED || error == ENOENT
             ? RefusalProbe::Answer::kRefused
             : RefusalProbe::Answer::kOther;
}

}  // namespace

void RefusalProbe::Remember(int connection) {
  Hang();
  address_bytes_ = sizeof(address_);
  auto* const address = reinterpret_cast<sockaddr*>(&address_);
  if (getpeername(connection, address, &address_bytes_) != 0)
    address_bytes_ = 0;
}

RefusalProbe::Answer RefusalProbe::Ask() {
  if (socket_ < 0) return Dial();
  pollfd writable{socket_, POLLOUT, 0};
  if (poll(&writable, 1, 0) <= 0) return Answer::kNone;
  int error = 0;
  socklen_t bytes = sizeof(error);
  if (getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0)
    error = errno;
  Hang();
  return Meaning(error);
}

RefusalProbe::Answer RefusalProbe::Dial() {
  if (address_bytes_ == 0) return Answer::kOther;
  socket_ =
      socket(address_.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return Answer::kOther;
  const auto* const address = reinterpret_cast<const sockaddr*>(&address_);
  const int error = connect(socket_, address, address_bytes_) == 0 ? 0 : errno;
  if (error == EINPROGRESS) return Answer::kNone;
  Hang();
  return Meaning(error);
}

void RefusalProbe::Hang() {
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
}

}  // namespace zmq_backend
}  // namespace cluster::internal
