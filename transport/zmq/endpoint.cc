#include "cluster/transport/zmq/endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cluster/transport/zmq/settings.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

bool IsLocalhost(const Address& address) {
  return address.kind == Address::Kind::kTcp && address.host == "localhost";
}

bool IsV4(const Address& address) {
  in_addr parsed;
  return IsLocalhost(address) ||
         inet_pton(AF_INET, address.host.c_str(), &parsed) == 1;
}

// Whether the host is to be resolved.
bool IsName(const Address& address) {
  return address.kind == Address::Kind::kTcp && !IsV4(address) &&
         !address.is_v6() && address.host != "*";
}

std::string EndpointOf(const Address& address) {
  if (address.kind == Address::Kind::kIpc) return ToString(address);
  if (!IsLocalhost(address)) return absl::StrCat("tcp://", ToString(address));
  return absl::StrCat("tcp://127.0.0.1:", address.port);
}

// ZeroMQ binds to numbers and interfaces only. The query is the one that it
// makes when it dials a name, so that both ends of a name meet.
absl::StatusOr<std::vector<Address>> Resolve(const Address& address) {
  addrinfo hints{};
  hints.ai_family = AF_INET6;
  hints.ai_flags = AI_V4MAPPED;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(address.host.c_str(), nullptr, &hints, &list);
  if (error != 0) {
    return absl::NotFoundError(absl::StrCat(
        "cannot resolve host \"", address.host, "\": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list,
                                                                 &freeaddrinfo);
  std::vector<Address> found;
  for (const addrinfo* item = list; item != nullptr; item = item->ai_next) {
    const in6_addr& v6 =
        reinterpret_cast<const sockaddr_in6*>(item->ai_addr)->sin6_addr;
    char text[INET6_ADDRSTRLEN];
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
      inet_ntop(AF_INET, &v6.s6_addr[12], text, sizeof(text));
    } else {
      inet_ntop(AF_INET6, &v6, text, sizeof(text));
    }
    found.push_back(address);
    found.back().host = text;
  }
  return found;
}

absl::Status InUse(const Address& address) {
  const bool ipc = address.kind == Address::Kind::kIpc;
  return absl::AlreadyExistsError(absl::StrCat(
      "address ", ToString(address),
      " is in use by a running process: stop that, or choose another ",
      ipc ? "path" : "port (0: any free one)"));
}

absl::Status BindError(const Address& address, int errno_value) {
  switch (errno_value) {
    case EADDRINUSE:
      return InUse(address);
    case EADDRNOTAVAIL:
    case ENODEV:
      return absl::FailedPreconditionError(
          absl::StrCat("cannot bind ", ToString(address),
                       ": this machine has no such address; use one of its "
                       "own, or \"*\" for all"));
    default:
      return ZmqError(absl::StrCat("bind ", ToString(address)), errno_value);
  }
}

// ZeroMQ deletes any file at the path, even the socket of a running process, so
// look first. OK: nothing is there that anyone would miss.
absl::Status CheckPathIsFree(const Address& address) {
  struct stat status;
  if (lstat(address.path.c_str(), &status) != 0) return absl::OkStatus();
  if (!S_ISSOCK(status.st_mode)) {
    return absl::AlreadyExistsError(
        absl::StrCat("cannot bind ", ToString(address),
                     ": a file that is no socket lies there; remove it, or "
                     "choose another path"));
  }
  const int probe =
      socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) {
    return ZmqError(absl::StrCat("bind ", ToString(address)), errno);
  }
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, address.path.data(), address.path.size());
  const int result =
      connect(probe, reinterpret_cast<const sockaddr*>(&name), sizeof(name));
  const int error = result == 0 ? 0 : errno;
  close(probe);
  switch (error) {
    case ECONNREFUSED:  // nobody listens any more
    case ENOENT:
      return absl::OkStatus();
    case 0:
    case EAGAIN:  // somebody listens, with a full backlog
      return InUse(address);
    default:
      return BindError(address, error);
  }
}

std::uint16_t BoundPort(zmq::socket_t* socket) {
  const std::string endpoint = socket->get(zmq::sockopt::last_endpoint);
  return static_cast<std::uint16_t>(
      std::stoi(endpoint.substr(endpoint.rfind(':') + 1)));
}

absl::StatusOr<Address> BindNumeric(const Address& address,
                                    zmq::socket_t* socket) {
  try {
    CallZmq([&, endpoint = EndpointOf(address)] {
      return zmq_bind(socket->handle(), endpoint.c_str());
    });
  } catch (const zmq::error_t& error) {
    return BindError(address, error.num());
  }
  Address bound = address;
  if (address.kind == Address::Kind::kTcp) bound.port = BoundPort(socket);
  return bound;
}

}  // namespace

bool UsesV6(const Address& address) {
  return address.kind == Address::Kind::kTcp && !IsV4(address);
}

absl::StatusOr<std::string> DialEndpoint(const Address& address) {
  if (address.kind == Address::Kind::kTcp &&
      (address.port == 0 || address.host == "*")) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot dial ", ToString(address),
                     ": want the host and the port that the peer is bound to"));
  }
  const std::string endpoint = EndpointOf(address);
  if (address.kind == Address::Kind::kIpc || IsName(address)) return endpoint;
  // If the system takes the dialled port for the near end, the connection leads
  // to itself. It ends in the handshake, but its socket would keep others from
  // the port for another minute. With a source address ZeroMQ sets
  // SO_REUSEADDR, which avoids that. The family of a name is not known here.
  const absl::string_view any = address.is_v6() ? "[::]" : "0.0.0.0";
  return absl::StrCat("tcp://", any, ":0;",
                      absl::StripPrefix(endpoint, "tcp://"));
}

absl::StatusOr<Address> Bind(const Address& address, zmq::socket_t* socket) {
  if (address.kind == Address::Kind::kIpc) {
    if (absl::Status status = CheckPathIsFree(address); !status.ok()) {
      return status;
    }
  }
  if (!IsName(address)) return BindNumeric(address, socket);
  absl::StatusOr<std::vector<Address>> candidates = Resolve(address);
  if (!candidates.ok()) return candidates.status();
  absl::StatusOr<Address> bound =
      absl::NotFoundError(absl::StrCat("no address of host ", address.host));
  for (const Address& candidate : *candidates) {
    bound = BindNumeric(candidate, socket);
    if (bound.ok()) return bound;
  }
  return bound;
}

void RemoveSocketFile(const Address& bound) {
  if (bound.kind == Address::Kind::kIpc) unlink(bound.path.c_str());
}

}  // namespace zmq_backend
}  // namespace cluster::internal
