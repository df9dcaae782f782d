#include "cluster/transport/zmq/endpoint.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/resolver/testing/dns_server.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

Address Parse(const std::string& text) {
  absl::StatusOr<Address> address = ParseAddress(text);
  EXPECT_TRUE(address.ok()) << address.status();
  return address.ok() ? *address : Address();
}

class EndpointTest : public testing::Test {
 protected:
  EndpointTest() {
    char pattern[] = "/tmp/epXXXXXX";
    folder_ = mkdtemp(pattern);
    path_ = folder_ + "/socket";
  }
  ~EndpointTest() override {
    unlink(path_.c_str());
    rmdir(folder_.c_str());
  }

  absl::StatusOr<Address> BindText(const std::string& text) {
    socket_ = zmq::socket_t(context_, zmq::socket_type::pull);
    const Address address = Parse(text);
    socket_.set(zmq::sockopt::ipv6, UsesV6(address));
    return Bind(address, &socket_);
  }
  std::string Ipc() const { return "ipc://" + path_; }

  // Binds a plain socket to the path, as another program would.
  int BindPlainSocket() {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path_.data(), path_.size());
    EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)),
              0);
    EXPECT_EQ(listen(fd, 1), 0);
    return fd;
  }

  std::string folder_;
  std::string path_;
  zmq::context_t context_;
  zmq::socket_t socket_;
};

TEST_F(EndpointTest, PortZeroIsResolvedAndTheHostKept) {
  for (const char* host : {"127.0.0.1", "localhost", "[::1]", "*"}) {
    const auto bound = BindText(absl::StrCat(host, ":0"));
    ASSERT_TRUE(bound.ok()) << bound.status();
    EXPECT_NE(bound->port, 0);
    EXPECT_EQ(ToString(*bound), absl::StrCat(host, ":", bound->port));
  }
}

TEST_F(EndpointTest, ALocalhostMeetsA127) {
  const auto bound = BindText("localhost:0");
  ASSERT_TRUE(bound.ok()) << bound.status();
  const auto endpoint = DialEndpoint(*bound, SourceAddress());
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(*endpoint, absl::StrCat("tcp://0.0.0.0:0;127.0.0.1:", bound->port));
}

TEST_F(EndpointTest, WhatNobodyCanDialIsRefused) {
  for (const char* text : {"127.0.0.1:0", "*:80", "name.test:0"}) {
    EXPECT_EQ(CheckDialable(Parse(text)).code(),
              absl::StatusCode::kInvalidArgument);
  }
  for (const char* text :
       {"127.0.0.1:1", "[::1]:80", "name.test:1", "ipc:///x"})
    EXPECT_TRUE(CheckDialable(Parse(text)).ok()) << text;
}

TEST_F(EndpointTest, AZoneIsDialledByItsNumber) {
  EXPECT_EQ(*DialEndpoint(Parse("[fe80::1%lo]:80"), SourceAddress()),
            "tcp://[::]:0;[fe80::1%1]:80");
  EXPECT_EQ(
      DialEndpoint(Parse("[fe80::1%none]:80"), SourceAddress()).status().code(),
      absl::StatusCode::kNotFound);
}

TEST_F(EndpointTest, OneOfANamesAddressesIsBound) {
  DnsServer dns;
  dns.Set("here.test", {"192.0.2.1", "127.0.0.7", "192.0.2.2"});
  const auto bound = BindText("here.test:0");
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(bound->host, "127.0.0.7");
  dns.Set("there.test", {"192.0.2.1"});
  const absl::Status status = BindText("there.test:0").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "192.0.2.1:0")) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "there.test:0")) << status;
}

TEST_F(EndpointTest, AnAddressOfAnotherMachineSaysSo) {
  const absl::Status status = BindText("192.0.2.1:0").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "192.0.2.1:0")) << status;
}

TEST_F(EndpointTest, ANameThatDoesNotResolveSaysSo) {
  DnsServer dns;
  const absl::Status status = BindText("nobody.test:0").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_TRUE(absl::StrContains(status.message(),
                                "cannot bind nobody.test:0: host "
                                "\"nobody.test\" does not resolve: there is no "
                                "such name"))
      << status;
}

TEST_F(EndpointTest, ASocketFileThatNobodyListensOnIsReplaced) {
  close(BindPlainSocket());
  ASSERT_EQ(access(path_.c_str(), F_OK), 0);
  const auto bound = BindText(Ipc());
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(ToString(*bound), Ipc());
}

TEST_F(EndpointTest, ASocketFileInUseIsLeftAlone) {
  const int fd = BindPlainSocket();
  struct stat before;
  ASSERT_EQ(stat(path_.c_str(), &before), 0);
  // Also when its backlog is full, which takes a few looks.
  for (int i = 0; i < 5; ++i) {
    const absl::Status status = BindText(Ipc()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), Ipc())) << status;
  }
  struct stat after;
  ASSERT_EQ(stat(path_.c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  close(fd);
}

TEST_F(EndpointTest, AFileThatIsNoSocketIsLeftAlone) {
  std::ofstream(path_) << "precious";
  const absl::Status status = BindText(Ipc()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists) << status;
  std::ifstream file(path_);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "precious");
}

TEST_F(EndpointTest, AMissingFolderSaysSo) {
  const absl::Status status =
      BindText("ipc://" + folder_ + "/none/socket").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
}

TEST_F(EndpointTest, TheSocketFileCanBeRemoved) {
  const auto bound = BindText(Ipc());
  ASSERT_TRUE(bound.ok()) << bound.status();
  RemoveSocketFile(*bound);
  EXPECT_NE(access(path_.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster::internal
