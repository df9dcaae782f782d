#include "tests/security/recording_relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "transport/address.h"

namespace cluster {
namespace {

// How soon a Stop is noticed.
constexpr int kPollMs = 50;

// Passes on what is there; false at the end of the stream.
bool Pass(int from, int to, std::string* record) {
  char bytes[16 << 10];
  const ssize_t got = recv(from, bytes, sizeof(bytes), 0);
  if (got <= 0) return false;
  if (record != nullptr) record->append(bytes, static_cast<std::size_t>(got));
  return send(to, bytes, static_cast<std::size_t>(got), MSG_NOSIGNAL) == got;
}

int Dial(const std::string& to) {
  const absl::StatusOr<Address> address = ParseAddress(to);
  EXPECT_TRUE(address.ok()) << address.status();
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(address->port);
  inet_pton(AF_INET, address->host.c_str(), &name.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)),
            0);
  return fd;
}

}  // namespace

RecordingRelay::RecordingRelay(const std::string& to)
    : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof(name);
  EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&name), bytes),
            0);
  EXPECT_EQ(listen(listener_, 1), 0);
  EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&name), &bytes),
            0);
  address_ = absl::StrCat("127.0.0.1:", ntohs(name.sin_port));
  thread_ = std::thread([this, to] { Run(to); });
}

std::string RecordingRelay::Stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  return said_;
}

void RecordingRelay::Run(const std::string& to) {
  pollfd polled[] = {{listener_, POLLIN, 0}, {-1, POLLIN, 0}, {-1, POLLIN, 0}};
  bool open = true;
  while (open && !stopping_) {
    poll(polled, 3, kPollMs);
    if (polled[0].revents != 0) {
      polled[1].fd = accept(listener_, nullptr, nullptr);
      polled[2].fd = Dial(to);
      polled[0] = {-1, 0, 0};  // the first one only
    }
    if (polled[1].revents != 0) open = Pass(polled[1].fd, polled[2].fd, &said_);
    if (open && polled[2].revents != 0)
      open = Pass(polled[2].fd, polled[1].fd, nullptr);
  }
  for (int fd : {listener_, polled[1].fd, polled[2].fd})
    if (fd >= 0) close(fd);
}

}  // namespace cluster
