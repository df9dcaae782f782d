#include "tests/custom/unix_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cluster/transport/address.h"

namespace cluster {
namespace {

constexpr int kBacklog = 128;

struct AbstractName {
  explicit AbstractName(const std::string& path) {
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path + 1, path.data(), path.size());
    bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 +
                                   path.size());
  }
  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&name);
  }
  sockaddr_un name{};
  socklen_t bytes = 0;
};

absl::Status SystemError(const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat("ipc://", path));
}

OwnedFd NewSocket() {
  return OwnedFd(
      socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

}  // namespace

absl::StatusOr<std::string> UnixPath(const std::string& address) {
  const absl::StatusOr<Address> parsed = ParseAddress(address);
  if (!parsed.ok()) return parsed.status();
  if (parsed->kind != Address::Kind::kIpc) {
    return absl::InvalidArgumentError(
        absl::StrCat(address, ": want ipc:///path"));
  }
  return parsed->path;
}

absl::StatusOr<OwnedFd> ListenAt(const std::string& path) {
  OwnedFd fd = NewSocket();
  const AbstractName name(path);
  if (!fd.open()) return SystemError(path);
  if (bind(fd.get(), name.get(), name.bytes) != 0) {
    if (errno == EADDRINUSE)
      return absl::AlreadyExistsError(
          absl::StrCat("ipc://", path, " is bound"));
    return SystemError(path);
  }
  if (listen(fd.get(), kBacklog) != 0) return SystemError(path);
  return fd;
}

absl::StatusOr<OwnedFd> ConnectTo(const std::string& path) {
  OwnedFd fd = NewSocket();
  const AbstractName name(path);
  if (!fd.open() || connect(fd.get(), name.get(), name.bytes) != 0)
    return SystemError(path);
  return fd;
}

}  // namespace cluster
