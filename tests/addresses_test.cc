// Addresses with a zone, and the own address that a server dials from.

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/address.h"
#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/registry.h"
#include "cluster/transport/resolver/testing/dns_server.h"
#include "cluster/transport/zmq/testing/raw_tcp.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class AddressesTest : public testing::TestWithParam<const char*> {
 protected:
  static std::unique_ptr<Node> NewNode(const std::string& source = "") {
    TransportConfig config;
    config.options.origin = "a.json:2: $.options";
    config.options.values["source_address"] = source;
    auto node = std::make_unique<Node>();
    node->transport = *(*FindTransport(GetParam()))(config);
    return node;
  }
  static std::unique_ptr<Node> StartNode(const std::string& address,
                                         const std::string& source = "") {
    std::unique_ptr<Node> node = NewNode(source);
    const absl::Status status = node->transport->Start(&node->handler, address);
    EXPECT_TRUE(status.ok()) << status;
    return node;
  }

  // "fe80::1%eth0"; "" if this machine has none.
  static std::string LinkLocal() {
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return "";
    std::string found;
    for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
      if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET6 ||
          (one->ifa_flags & IFF_UP) == 0) {
        continue;
      }
      const in6_addr& number =
          reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
      char text[INET6_ADDRSTRLEN];
      if (IN6_IS_ADDR_LINKLOCAL(&number))
        found = absl::StrCat(inet_ntop(AF_INET6, &number, text, sizeof(text)),
                             "%", one->ifa_name);
    }
    freeifaddrs(list);
    return found;
  }
};

TEST_P(AddressesTest, AZoneIsPartOfAnAddress) {
  const std::string host = LinkLocal();
  if (host.empty()) {
    std::cout << "no link-local address here: nothing was tested\n";
    return;
  }
  auto receiver = StartNode(absl::StrCat("[", host, "]:0"));
  const std::string address = receiver->transport->Address();
  EXPECT_THAT(address, StartsWith(absl::StrCat("[", host, "]:")));
  EXPECT_FALSE(absl::EndsWith(address, ":0"));
  for (const std::string& source : {std::string(), host}) {
    auto sender = StartNode("127.0.0.1:0", source);
    ASSERT_TRUE(sender->Connect(2, address).ok());
    ASSERT_TRUE(sender->SendWaiting(2, source));
    EXPECT_TRUE(receiver->handler.WaitFor(
        [&](const Recorded& r) { return r.HasFrame(source); }));
  }
}

TEST_P(AddressesTest, AnInterfaceThatIsNotThereIsItsPeersTrouble) {
  auto node = StartNode("127.0.0.1:0");
  ASSERT_TRUE(node->Connect(2, "[fe80::1%no-such]:80").ok());
  EXPECT_TRUE(node->handler.WaitForDisconnected(2, 2));
  EXPECT_THAT(node->handler.Get().reason,
              HasSubstr("this machine has no interface \"no-such\""));
}

TEST_P(AddressesTest, AServerDialsFromItsSourceAddress) {
  auto node = StartNode("127.0.0.1:0", "127.0.0.77");
  RawTcp listener = RawTcp::Listen("127.0.0.1:0");
  ASSERT_TRUE(node->Connect(2, listener.Address()).ok());
  EXPECT_THAT(listener.Accept().PeerAddress(), StartsWith("127.0.0.77:"));

  auto v6 = StartNode("[::1]:0", "::1");
  auto receiver = StartNode("[::1]:0");
  ASSERT_TRUE(v6->Connect(2, receiver->transport->Address()).ok());
  EXPECT_TRUE(v6->handler.WaitForConnected(2));
}

TEST_P(AddressesTest, ASourceAddressReachesOnlyItsFamily) {
  auto receiver = StartNode("127.0.0.1:0");
  auto node = StartNode("127.0.0.1:0", "127.0.0.77");
  const absl::Status status = node->Connect(2, "[::1]:80");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()),
              StartsWith("a.json:2: $.options.source_address: 127.0.0.77 "
                         "cannot reach [::1]:80"));

  // Of a name it takes the addresses that it can reach.
  DnsServer dns;
  const Address address = *ParseAddress(receiver->transport->Address());
  dns.Set("both.test", {"::1", address.host});
  ASSERT_TRUE(node->Connect(2, absl::StrCat("both.test:", address.port)).ok());
  EXPECT_TRUE(node->handler.WaitForConnected(2));
}

TEST_P(AddressesTest, ASourceAddressOfAnotherMachineIsAnErrorOfStart) {
  auto node = NewNode("192.0.2.1");
  const absl::Status status =
      node->transport->Start(&node->handler, "127.0.0.1:0");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()),
              StartsWith("a.json:2: $.options.source_address: cannot dial from "
                         "192.0.2.1: this machine has no such address"));
}

INSTANTIATE_TEST_SUITE_P(Backends, AddressesTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
