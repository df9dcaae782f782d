#include "cluster/transport/stream/endpoint.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cluster/transport/resolver/resolver.h"

namespace cluster::internal {
namespace stream {
namespace {

// A file that is not a socket is somebody's data.
absl::Status CheckReplaceable(const Address& address) {
  struct stat file;
  if (address.kind != Address::Kind::kIpc ||
      lstat(address.path.c_str(), &file) != 0 || S_ISSOCK(file.st_mode)) {
    return absl::OkStatus();
  }
  return absl::AlreadyExistsError(
      absl::StrCat("listen on ", ToString(address),
                   ": a file that is no socket is in the way; remove it or use "
                   "another path"));
}

// `text` names the address.
absl::Status ListenError(int error, const Address& address,
                         const std::string& text) {
  const bool ipc = address.kind == Address::Kind::kIpc;
  const absl::Status status = ErrorStatus(error, "listen on", text);
  if (error == EADDRINUSE) {
    return absl::AlreadyExistsError(absl::StrCat(
        status.message(), "; stop whoever listens there, or use another ",
        ipc ? "path" : "port (0: any free one)"));
  }
  if (error != EADDRNOTAVAIL || ipc) return status;
  return absl::FailedPreconditionError(
      absl::StrCat("listen on ", text, ": ", NoSuchAddressText(address)));
}

// `text` names the address in errors.
absl::Status ListenAt(Io* io, const Address& address, const std::string& text,
                      std::unique_ptr<Listener>* listener) {
  absl::Status status = CheckReplaceable(address);
  if (!status.ok()) return status;
  const absl::StatusOr<Address> numbers = ToNumbers(address);
  if (!numbers.ok()) return numbers.status();
  const int error = io->Listen(*numbers, listener);
  return error == 0 ? absl::OkStatus() : ListenError(error, address, text);
}

template <typename GetName>
std::string EndText(int fd, GetName get_name) {
  sockaddr_storage name{};
  socklen_t bytes = sizeof(name);
  if (get_name(fd, reinterpret_cast<sockaddr*>(&name), &bytes) != 0) return "";
  return TcpText(name);
}

}  // namespace

absl::Status OpenListener(Io* io, const Address& address,
                          std::unique_ptr<Listener>* listener) {
  if (!address.is_name())
    return ListenAt(io, address, ToString(address), listener);
  const absl::StatusOr<Resolver::Hosts> hosts =
      Resolver::OfProcess().Find(address.host);
  if (!hosts.ok()) {
    return absl::Status(hosts.status().code(),
                        absl::StrCat("listen on ", ToString(address), ": ",
                                     hosts.status().message()));
  }
  absl::Status status = absl::InternalError("a name of no address");
  for (const std::string& host : *hosts) {
    Address numbers = address;
    numbers.host = host;
    status =
        ListenAt(io, numbers, absl::StrCat(ToString(address), " (", host, ")"),
                 listener);
    if (status.ok()) break;
  }
  return status;
}

std::string TcpText(const sockaddr_storage& name) {
  // Both have the port at the same place.
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(name);
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(name);
  const void* host = nullptr;
  if (name.ss_family == AF_INET) host = &v4.sin_addr;
  if (name.ss_family == AF_INET6) host = &v6.sin6_addr;
  char text[INET6_ADDRSTRLEN];
  if (host == nullptr ||
      inet_ntop(name.ss_family, host, text, sizeof(text)) == nullptr) {
    return "";
  }
  Address address;
  address.host = text;
  address.port = ntohs(v4.sin_port);
  return ToString(address);
}

std::string LocalText(int fd) { return EndText(fd, getsockname); }

std::string RemoteText(int fd) { return EndText(fd, getpeername); }

void ResetSocket(int fd) {
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  static_cast<void>(connect(fd, &none, sizeof(none)));
}

std::string ErrorText(int error) {
  switch (error) {
    case ENOMEM:
      return "out of memory";
    case ETIMEDOUT:
      return "no answer within the time allowed";
    case ECONNREFUSED:
      return "connection refused: nobody listens there";
    case ECANCELED:
      return "this side closed it";
    case EADDRINUSE:
      return "address in use";
    case ENOENT:
      return "the path does not exist";
    case EHOSTUNREACH:
    case ENETUNREACH:
      return "there is no route to it";
    case EADDRNOTAVAIL:
      return "the address is not valid here";
    case EACCES:
    case EPERM:
      return "permission denied";
    case ECONNABORTED:
    case ECONNRESET:
      return "the connection was reset";
    case EMFILE:
    case ENFILE:
      return "the process has no more descriptors";
    case EPROTO:
      return "TLS failed";
    case EPIPE:
    case ESHUTDOWN:
      return "the other side closed it";
    default:
      return std::strerror(error);
  }
}

absl::Status ErrorStatus(int error, absl::string_view doing,
                         absl::string_view address) {
  const std::string text =
      absl::StrCat(doing, " ", address, ": ", ErrorText(error));
  switch (error) {
    case EADDRINUSE:
      return absl::AlreadyExistsError(text);
    case EADDRNOTAVAIL:
    case EINVAL:
      return absl::InvalidArgumentError(text);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(text);
    case ENOENT:
      return absl::NotFoundError(text);
    default:
      return absl::UnavailableError(text);
  }
}

}  // namespace stream
}  // namespace cluster::internal
