// RawTcp: a plain TCP connection over 127/8, for tests that play a stranger.
//
// One thread. Failures are failed expectations.
//
//   RawTcp client = RawTcp::Connect("127.0.0.1:4711");
//   client.Write("garbage");
//   EXPECT_TRUE(client.WaitForEnd());

#ifndef CLUSTER_TRANSPORT_ZMQ_TESTING_RAW_TCP_H_
#define CLUSTER_TRANSPORT_ZMQ_TESTING_RAW_TCP_H_

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <utility>

#include "cluster/transport/address.h"
#include "gtest/gtest.h"

namespace cluster::internal {

class RawTcp {
 public:
  static RawTcp Connect(const std::string& address) {
    RawTcp client(socket(AF_INET, SOCK_STREAM, 0));
    const sockaddr_in name = NameOf(address);
    EXPECT_EQ(connect(client.fd_, reinterpret_cast<const sockaddr*>(&name),
                      sizeof(name)),
              0);
    return client;
  }

  static RawTcp Listen(const std::string& address) {
    RawTcp listener(socket(AF_INET, SOCK_STREAM, 0));
    const int on = 1;
    setsockopt(listener.fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    const sockaddr_in name = NameOf(address);
    EXPECT_EQ(bind(listener.fd_, reinterpret_cast<const sockaddr*>(&name),
                   sizeof(name)),
              0);
    EXPECT_EQ(listen(listener.fd_, 100), 0);
    return listener;
  }

  explicit RawTcp(int fd) : fd_(fd) {}
  RawTcp(RawTcp&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawTcp& operator=(RawTcp&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~RawTcp() { Close(); }

  // Waits for at most 30 s.
  RawTcp Accept() {
    pollfd ready{fd_, POLLIN, 0};
    EXPECT_EQ(poll(&ready, 1, 30000), 1) << "nobody came";
    return RawTcp(accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK));
  }

  // Whether a connection waits for Accept now.
  bool IsDialled() const {
    pollfd ready{fd_, POLLIN, 0};
    return poll(&ready, 1, 0) == 1;
  }

  std::string Address() const { return NameBy(getsockname); }
  std::string PeerAddress() const { return NameBy(getpeername); }

  // May fail, when the other end has had enough.
  void Write(const std::string& bytes) {
    (void)!send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  // Reads so many bytes, and skips them; waits for at most 30 s for each part.
  bool Skip(std::size_t bytes) {
    std::string skipped(bytes, '\0');
    pollfd ready{fd_, POLLIN, 0};
    while (bytes > 0 && poll(&ready, 1, 30000) == 1) {
      const ssize_t got = recv(fd_, &skipped[0], bytes, 0);
      if (got <= 0) return false;
      bytes -= static_cast<std::size_t>(got);
    }
    return bytes == 0;
  }

  // Whether the other end closes within 20 s, which is less than ZeroMQ takes
  // by default. Skips its bytes.
  bool WaitForEnd() {
    char bytes[4096];
    pollfd ready{fd_, POLLIN, 0};
    while (poll(&ready, 1, 20000) == 1) {
      if (recv(fd_, bytes, sizeof(bytes), 0) <= 0) return true;
    }
    return false;
  }

  // All that comes until the other end closes; waits for at most 20 s for each
  // part.
  std::string ReadToEnd() {
    std::string text;
    char bytes[4096];
    pollfd ready{fd_, POLLIN, 0};
    while (poll(&ready, 1, 20000) == 1) {
      const ssize_t got = recv(fd_, bytes, sizeof(bytes), 0);
      if (got <= 0) return text;
      text.append(bytes, static_cast<std::size_t>(got));
    }
    ADD_FAILURE() << "it stays open";
    return text;
  }

  void FinishWriting() { shutdown(fd_, SHUT_WR); }
  void Reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    Close();
  }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  template <typename GetName>
  std::string NameBy(GetName get_name) const {
    sockaddr_in name{};
    socklen_t size = sizeof(name);
    get_name(fd_, reinterpret_cast<sockaddr*>(&name), &size);
    return std::string(inet_ntoa(name.sin_addr)) + ":" +
           std::to_string(ntohs(name.sin_port));
  }

  static sockaddr_in NameOf(const std::string& text) {
    const absl::StatusOr<cluster::Address> address = ParseAddress(text);
    EXPECT_TRUE(address.ok()) << address.status();
    sockaddr_in name{};
    name.sin_family = AF_INET;
    if (!address.ok()) return name;
    name.sin_port = htons(address->port);
    inet_pton(AF_INET, address->host.c_str(), &name.sin_addr);
    return name;
  }

  int fd_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_TESTING_RAW_TCP_H_
