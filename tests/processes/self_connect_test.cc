// A transport dials a port of its own host that has no listener. The system may
// choose the same port for the near end. Then the connection leads to itself,
// and no server can listen at the port while it lasts.
//
// nng's transport looks for such connections. ZeroMQ's fail in the handshake,
// since a PUSH socket refuses a PUSH socket as its peer.
//
// The test runs in a child with a network of its own, which has only one port
// to dial from, so this happens at once. If the kernel or a sandbox forbids
// such a network, the test says so and passes.

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/registry.h"
#include "gtest/gtest.h"
#include "tests/harness/transports.h"
#include "tests/processes/in_child.h"

namespace cluster::internal {
namespace {

// A backend and a loopback address.
struct Case {
  std::string name;
  const char* backend;
  const char* host;
};

constexpr char kOnePort[] = "40000 40000";
constexpr char kManyPorts[] = "40000 49999";

bool Write(const char* path, absl::string_view text) {
  const int fd = open(path, O_WRONLY);
  if (fd < 0) return false;
  const bool written =
      write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return written;
}

bool SetNearPorts(absl::string_view ports) {
  return Write("/proc/sys/net/ipv4/ip_local_port_range", ports);
}

// Enters a new network with a loopback and one port to dial from.
bool EnterSmallNetwork() {
  if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
    return false;
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  const bool up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  close(fd);
  return up && SetNearPorts(kOnePort);
}

std::unique_ptr<Node> NewNode(const std::string& backend, int id) {
  TransportConfig config;
  config.server_id = id;
  auto node = std::make_unique<Node>();
  node->transport = *(*FindTransport(backend))(config);
  return node;
}

// Runs in the child; returns "" if all went well.
std::string DialNobodyThenAPeer(const Case& with) {
  const std::string peer_address = absl::StrCat(with.host, ":40000");
  auto sender = NewNode(with.backend, 1);
  const absl::Status started = sender->transport->Start(
      &sender->handler, absl::StrCat(with.host, ":50000"));
  if (!started.ok()) return started.ToString();
  if (!sender->Connect(2, peer_address).ok()) return "not dialled";
  const bool seen = sender->handler.WaitFor([](const Recorded& r) {
    return absl::StrContains(r.reason, "connected to itself") ||
           absl::StrContains(r.reason, "handshake");
  });
  if (!seen)
    return "not noticed; the last reason is: " + sender->handler.Get().reason;
  if (Recorded::Count(sender->handler.Get().connected, 2) > 0)
    return "told as a connection";
  if (!SetNearPorts(kManyPorts)) return "no more ports";
  // An attempt to dial may be in progress.
  auto peer = NewNode(with.backend, 2);
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  absl::Status listens;
  do {
    listens = peer->transport->Start(&peer->handler, peer_address);
  } while (!listens.ok() && std::chrono::steady_clock::now() < deadline);
  if (!listens.ok()) return "the port is taken: " + listens.ToString();
  if (!sender->handler.WaitForConnected(2)) return "not connected";
  if (!sender->SendWaiting(2, "there")) return "not sent";
  return peer->handler.WaitForFrames(1) ? "" : "not arrived";
}

class SelfConnectTest : public testing::TestWithParam<Case> {};

TEST_P(SelfConnectTest, IsNoticedAndThePortIsFreeForThePeer) {
  const std::string said = InChild([] {
    return EnterSmallNetwork() ? DialNobodyThenAPeer(GetParam())
                               : std::string("forbidden");
  });
  if (said == "forbidden") {
    std::cout << "no network of one's own here: nothing was tested\n";
    return;
  }
  EXPECT_EQ(said, "");
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const char* transport : SocketTransports()) {
    cases.push_back({absl::StrCat(transport, "_v4"), transport, "127.0.0.1"});
    cases.push_back({absl::StrCat(transport, "_v6"), transport, "[::1]"});
    cases.push_back({absl::StrCat(transport, "_name"), transport, "localhost"});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Backends, SelfConnectTest, testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace cluster::internal
