#include "cluster/transport/zmq/endpoint.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cluster/transport/resolver/resolver.h"
#include "cluster/transport/zmq/settings.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

bool IsV4(const Address& address) {
  in_addr parsed;
  return address.host == "localhost" ||
         inet_pton(AF_INET, address.host.c_str(), &parsed) == 1;
}

std::string EndpointOf(const Address& numbers) {
  return absl::StrCat(numbers.kind == Address::Kind::kIpc ? "" : "tcp://",
                      ToString(numbers));
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
      return absl::FailedPreconditionError(absl::StrCat(
          "cannot bind ", ToString(address), ": ", NoSuchAddressText(address)));
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

absl::StatusOr<Address> BindNumbers(const Address& address,
                                    zmq::socket_t* socket) {
  const absl::StatusOr<Address> numbers = ToNumbers(address);
  if (!numbers.ok()) return numbers.status();
  try {
    CallZmq([&, endpoint = EndpointOf(*numbers)] {
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

absl::Status CheckDialable(const Address& address) {
  if (address.kind == Address::Kind::kIpc ||
      (address.port != 0 && address.host != "*")) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("cannot dial ", ToString(address),
                   ": want the host and the port that the peer is bound to"));
}

absl::StatusOr<std::string> DialEndpoint(const Address& address,
                                         const SourceAddress& source) {
  const absl::StatusOr<Address> numbers = ToNumbers(address);
  if (!numbers.ok()) return numbers.status();
  const std::string endpoint = EndpointOf(*numbers);
  if (address.kind == Address::Kind::kIpc) return endpoint;
  absl::Status status = source.CheckReaches(address);
  if (!status.ok()) return status;
  // If the system takes the dialled port for the near end, the connection leads
  // to itself. It ends in the handshake, but its socket would keep others from
  // the port for another minute. With a source address ZeroMQ sets
  // SO_REUSEADDR, which avoids that.
  absl::StatusOr<Address> from =
      *ParseAddress(address.is_v6() ? "[::]:0" : "0.0.0.0:0");
  if (source.address()) from = ToNumbers(*source.address());
  if (!from.ok()) return from.status();
  return absl::StrCat("tcp://", ToString(*from), ";",
                      absl::StripPrefix(endpoint, "tcp://"));
}

absl::StatusOr<Address> Bind(const Address& address, zmq::socket_t* socket) {
  if (address.kind == Address::Kind::kIpc) {
    if (absl::Status status = CheckPathIsFree(address); !status.ok()) {
      return status;
    }
  }
  if (!address.is_name()) return BindNumbers(address, socket);
  const absl::StatusOr<Resolver::Hosts> hosts =
      Resolver::OfProcess().Find(address.host);
  if (!hosts.ok()) {
    return absl::Status(hosts.status().code(),
                        absl::StrCat("cannot bind ", ToString(address), ": ",
                                     hosts.status().message()));
  }
  absl::StatusOr<Address> bound = absl::InternalError("a name of no address");
  for (const std::string& host : *hosts) {
    Address numbers = address;
    numbers.host = host;
    bound = BindNumbers(numbers, socket);
    if (bound.ok()) return bound;
  }
  return absl::Status(
      bound.status().code(),
      absl::StrCat(bound.status().message(), " (", ToString(address), ")"));
}

void RemoveSocketFile(const Address& bound) {
  if (bound.kind == Address::Kind::kIpc) unlink(bound.path.c_str());
}

}  // namespace zmq_backend
}  // namespace cluster::internal
