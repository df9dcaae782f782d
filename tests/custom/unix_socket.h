// The socket calls of UnixTransport: an owned descriptor, and the two ends of a
// connection.
//
// Threads: values of one thread at a time. Errors: those of the system, as
// errno or Status.

#ifndef TESTS_CUSTOM_UNIX_SOCKET_H_
#define TESTS_CUSTOM_UNIX_SOCKET_H_

#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace cluster {

class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OwnedFd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// The path of "ipc:///path", or kInvalidArgument.
absl::StatusOr<std::string> UnixPath(const std::string& address);

// kAlreadyExists: the path is bound.
absl::StatusOr<OwnedFd> ListenAt(const std::string& path);
// Does not block: a Unix socket is connected at once or not.
absl::StatusOr<OwnedFd> ConnectTo(const std::string& path);

}  // namespace cluster

#endif  // TESTS_CUSTOM_UNIX_SOCKET_H_
