// The system's sockets: names, options, listening.
//
// Functions without state. All sockets are non-blocking, and closed by exec. The
// results are errnos, 0: none.
//
//   SocketName name(*ToNumbers(address));
//   int fd = -1;
//   int error = ListenOn(name, &fd);

#ifndef CLUSTER_TRANSPORT_TCP_SOCKETS_H_
#define CLUSTER_TRANSPORT_TCP_SOCKETS_H_

#include <sys/socket.h>

#include <chrono>
#include <cstdint>

#include "cluster/transport/address.h"
#include "cluster/transport/source_address.h"

namespace cluster::internal {
namespace tcp {

struct TcpSettings {
  SourceAddress source;
  int user_timeout_ms = 0;     // 0: the system's
  int keepalive_seconds = 15;  // 0: none
  std::chrono::microseconds spin{0};
};

// An address of numbers (ToNumbers) as the system takes it. "*" is every
// interface of IPv4 and IPv6.
struct SocketName {
  explicit SocketName(const Address& numbers);

  int family() const { return storage.ss_family; }
  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }

  sockaddr_storage storage{};
  socklen_t bytes = 0;
};

// On success the caller owns `*fd`. ListenOn replaces a socket file that no
// process listens on.
int OpenSocket(int family, int* fd);
int ListenOn(const SocketName& name, int* fd);
int AcceptFrom(int listener, int* fd);

// Of a connection, of TCP or not. An option that the system refuses stays as it was.
void SetOptions(const TcpSettings& settings, int fd);
// Binds a socket that is going to dial.
int BindSource(const SocketName& source, int fd);

// That a socket is bound to; 0: not of TCP.
std::uint16_t BoundPort(int fd);

}  // namespace tcp
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_TCP_SOCKETS_H_
