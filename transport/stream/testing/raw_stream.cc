#include "cluster/transport/stream/testing/raw_stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/transport/address.h"

namespace cluster::internal {
namespace stream {
namespace {

void SetDeadlines(int fd) {
  const timeval limit{30, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

}  // namespace

RawStream::RawStream(RawStream&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

RawStream& RawStream::operator=(RawStream&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

RawStream RawStream::Dial(const std::string& address) {
  RawStream stream = Unconnected();
  return stream.DialWith(address) ? std::move(stream) : RawStream();
}

RawStream RawStream::Unconnected() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  SetDeadlines(fd);
  return RawStream(fd);
}

bool RawStream::DialWith(const std::string& address) {
  const auto parsed = ParseAddress(address);
  if (!parsed.ok()) return false;
  const sockaddr_in to = Loopback(parsed->port);
  return connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
}

bool RawStream::Write(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool RawStream::Read(std::size_t bytes, std::string* text) {
  text->resize(bytes);
  return recv(fd_, &(*text)[0], bytes, MSG_WAITALL) ==
         static_cast<ssize_t>(bytes);
}

bool RawStream::WaitForEnd() {
  char dropped[4096];
  ssize_t got = 0;
  do {
    got = recv(fd_, dropped, sizeof dropped, 0);
  } while (got > 0);
  return got == 0 || errno == ECONNRESET;
}

void RawStream::Finish() { shutdown(fd_, SHUT_WR); }

void RawStream::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void RawStream::Reset() {
  const linger at_once{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  Close();
}

RawListener::RawListener() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
  SetDeadlines(fd_);
  const sockaddr_in address = Loopback(0);
  static_cast<void>(
      bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  listen(fd_, 16);
}

RawListener::~RawListener() { close(fd_); }

std::string RawListener::address() const {
  sockaddr_in bound{};
  socklen_t bytes = sizeof bound;
  getsockname(fd_, reinterpret_cast<sockaddr*>(&bound), &bytes);
  return absl::StrCat("127.0.0.1:", ntohs(bound.sin_port));
}

RawStream RawListener::Accept() {
  const int fd = accept(fd_, nullptr, nullptr);
  if (fd >= 0) SetDeadlines(fd);
  return RawStream(fd);
}

}  // namespace stream
}  // namespace cluster::internal
