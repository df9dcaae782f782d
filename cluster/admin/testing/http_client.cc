#include "cluster/admin/testing/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cluster/transport/address.h"
#include "gtest/gtest.h"

namespace cluster::internal {

HttpClient::HttpClient(const std::string& address) {
  const Address parsed = ParseAddress(address).value();
  sockaddr_storage name{};
  socklen_t bytes = sizeof(sockaddr_un);
  if (parsed.kind == Address::Kind::kIpc) {
    auto* const un = reinterpret_cast<sockaddr_un*>(&name);
    un->sun_family = AF_UNIX;
    std::strncpy(un->sun_path, parsed.path.c_str(), sizeof(un->sun_path) - 1);
  } else if (parsed.is_v6()) {
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&name);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(parsed.port);
    inet_pton(AF_INET6, parsed.host.c_str(), &v6->sin6_addr);
    bytes = sizeof(sockaddr_in6);
  } else {
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&name);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(parsed.port);
    inet_pton(AF_INET, parsed.host.c_str(), &v4->sin_addr);
    bytes = sizeof(sockaddr_in);
  }
  fd_ = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience = {30, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&name), bytes), 0)
      << address << ": " << std::strerror(errno);
}

HttpClient::~HttpClient() { close(fd_); }

bool HttpClient::Write(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool HttpClient::EndsWithin(absl::Duration duration) {
  pollfd polled = {fd_, POLLIN, 0};
  char buffer[4096];
  while (poll(&polled, 1,
              static_cast<int>(absl::ToInt64Milliseconds(duration))) > 0) {
    if (recv(fd_, buffer, sizeof(buffer), 0) <= 0) return true;
  }
  return false;
}

std::string HttpClient::ReadAll() {
  std::string all;
  char buffer[4096];
  while (true) {
    const ssize_t got = recv(fd_, buffer, sizeof(buffer), 0);
    EXPECT_TRUE(got >= 0 || errno == ECONNRESET) << std::strerror(errno);
    if (got <= 0) return all;
    all.append(buffer, static_cast<std::size_t>(got));
  }
}

std::string Get(absl::string_view path, absl::string_view headers) {
  return absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: localhost\r\n", headers,
                      "\r\n");
}

std::string Ask(const std::string& address, absl::string_view request) {
  HttpClient client(address);
  client.Write(request);
  return client.ReadAll();
}

int CodeOf(absl::string_view answer) {
  const std::vector<std::string> words =
      absl::StrSplit(answer.substr(0, answer.find('\r')), ' ');
  int code = 0;
  return words.size() > 1 && absl::SimpleAtoi(words[1], &code) ? code : 0;
}

std::string BodyOf(absl::string_view answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == absl::string_view::npos ? ""
                                        : std::string(answer.substr(end + 4));
}

}  // namespace cluster::internal
