#include "cluster/transport/zmq/accepted_connections.h"

#include <cerrno>

namespace cluster::internal {
namespace zmq_backend {

bool IsLoss(int error) {
  switch (error) {
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

AcceptedConnections::End AcceptedConnections::Disconnected(
    std::uint32_t descriptor, Clock::time_point now) {
  const auto begun = begun_.find(descriptor);
  // Half of the time, since whoever reads the events may be late.
  const bool was_long =
      begun != begun_.end() && now - begun->second >= handshake_timeout_ / 2;
  if (begun != begun_.end()) begun_.erase(begun);
  if (errors_.empty()) return End::kLater;
  const int error = errors_.front();
  errors_.pop_front();
  return IsLoss(error) && !was_long ? End::kHungUp : End::kSilent;
}

}  // namespace zmq_backend
}  // namespace cluster::internal
