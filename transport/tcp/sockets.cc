#include "cluster/transport/tcp/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "absl/strings/numbers.h"
#include "cluster/base/check.h"

namespace cluster::internal {
namespace tcp {
namespace {

// A silent path is given up after so many questions.
constexpr int kKeepaliveProbes = 3;

int Result(int value) { return value == 0 ? 0 : errno; }

void SetOption(int fd, int level, int option, int value) {
  static_cast<void>(setsockopt(fd, level, option, &value, sizeof(value)));
}

bool NobodyListens(const SocketName& name) {
  int probe = -1;
  if (OpenSocket(name.family(), &probe) != 0) return false;
  const int error = Result(connect(probe, name.get(), name.bytes));
  close(probe);
  return error == ECONNREFUSED;
}

int BindAndListen(const SocketName& name, int fd) {
  int error = Result(bind(fd, name.get(), name.bytes));
  if (error == EADDRINUSE && name.family() == AF_UNIX && NobodyListens(name)) {
    unlink(reinterpret_cast<const sockaddr_un&>(name.storage).sun_path);
    error = Result(bind(fd, name.get(), name.bytes));
  }
  return error == 0 ? Result(listen(fd, SOMAXCONN)) : error;
}

}  // namespace

SocketName::SocketName(const Address& numbers) {
  if (numbers.kind == Address::Kind::kIpc) {
    auto& un = reinterpret_cast<sockaddr_un&>(storage);
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, numbers.path.data(), numbers.path.size());
    bytes = sizeof(un);
  } else if (numbers.is_v6() || numbers.host == "*") {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(numbers.port);
    bytes = sizeof(v6);
    if (numbers.host == "*") return;
    const std::size_t percent = numbers.host.find('%');
    inet_pton(AF_INET6, numbers.host.substr(0, percent).c_str(), &v6.sin6_addr);
    if (percent != std::string::npos) {
      CLUSTER_CHECK(
          absl::SimpleAtoi(numbers.host.substr(percent + 1), &v6.sin6_scope_id),
          "ToNumbers leaves a zone that is no number");
    }
  } else {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(numbers.port);
    inet_pton(AF_INET, numbers.host.c_str(), &v4.sin_addr);
    bytes = sizeof(v4);
  }
}

int OpenSocket(int family, int* fd) {
  *fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return *fd < 0 ? errno : 0;
}

int ListenOn(const SocketName& name, int* fd) {
  int made = -1;
  if (const int error = OpenSocket(name.family(), &made); error != 0)
    return error;
  if (name.family() != AF_UNIX) SetOption(made, SOL_SOCKET, SO_REUSEADDR, 1);
  if (name.family() == AF_INET6) SetOption(made, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  const int error = BindAndListen(name, made);
  if (error == 0) {
    *fd = made;
  } else {
    close(made);
  }
  return error;
}

int AcceptFrom(int listener, int* fd) {
  *fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return *fd < 0 ? errno : 0;
}

void SetOptions(const TcpSettings& settings, int fd) {
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (settings.keepalive_seconds > 0) {
    SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, settings.keepalive_seconds);
    SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, settings.keepalive_seconds);
    SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepaliveProbes);
  }
  if (settings.user_timeout_ms > 0)
    SetOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, settings.user_timeout_ms);
}

// The port is chosen by connect, so that many connections share the ports.
int BindSource(const SocketName& source, int fd) {
  SetOption(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  return Result(bind(fd, source.get(), source.bytes));
}

std::uint16_t BoundPort(int fd) {
  sockaddr_storage name{};
  socklen_t bytes = sizeof(name);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &bytes) != 0 ||
      name.ss_family == AF_UNIX) {
    return 0;
  }
  // IPv6 has it at the same place.
  return ntohs(reinterpret_cast<const sockaddr_in&>(name).sin_port);
}

}  // namespace tcp
}  // namespace cluster::internal
