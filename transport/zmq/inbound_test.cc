#include "cluster/transport/zmq/inbound.h"

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/resolver/testing/dns_server.h"
#include "cluster/transport/zmq/context.h"
#include "cluster/transport/zmq/endpoint.h"
#include "cluster/transport/zmq/testing/raw_tcp.h"
#include "cluster/transport/zmq/testing/socket_path.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

class InboundTest : public testing::Test {
 protected:
  InboundTest() {
    sockets_.settings = *ReadSettings(TransportConfig());
    sockets_.context = NewContext(sockets_.settings);
  }

  std::unique_ptr<Inbound> Open(const std::string& address) {
    auto opened = Inbound::Open(&sockets_, Parse(address), &handler_);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }

  static Address Parse(const std::string& text) { return *ParseAddress(text); }

  // Of a server that has no peers.
  static std::shared_ptr<const CurveKeys> NewKeys() {
    KeyRequest request;
    request.cluster = "inbound";
    request.server_ids = {1};
    request.folder = absl::StrCat(testing::TempDir(), "/inboundXXXXXX");
    EXPECT_NE(mkdtemp(&request.folder[0]), nullptr);
    EXPECT_TRUE(MakeKeys(request).ok());
    SecurityFiles files;
    files.identity = absl::StrCat(request.folder, "/1");
    return *LoadCurveKeys(files, nullptr);
  }

  RecordingHandler handler_;
  Sockets sockets_;
};

// As of a process that is started anew while the last one is still stopping. It
// has to come in the moment after the listener was closed, so it comes often.
TEST_F(InboundTest, WhoWaitsForThePathOfOneThatClosesKeepsIt) {
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    const SocketPath path;
    std::unique_ptr<Inbound> closing = Open(path.Address());
    zmq::socket_t successor(*sockets_.context, zmq::socket_type::pull);
    std::thread waiting([&] {
      while (!Bind(Parse(path.Address()), &successor).ok()) {
      }
    });
    closing.reset();
    waiting.join();
    ASSERT_EQ(access(path.text().c_str(), F_OK), 0) << "in round " << round;
  }
}

TEST_F(InboundTest, ANameIsResolvedOnceAndForAll) {
  constexpr char kName[] = "server.test";
  DnsServer dns;
  dns.Set(kName, {"127.0.0.1"});
  sockets_.keys = std::make_unique<CurveKeyRing>(NewKeys());
  const auto inbound = Open(absl::StrCat(kName, ":0"));
  ASSERT_EQ(inbound->Start(), absl::OkStatus());
  const Address address = inbound->address();
  EXPECT_EQ(address.host, kName);
  EXPECT_NE(address.port, 0);
  const int questions = dns.questions(kName);
  EXPECT_EQ(inbound->UseKeys(NewKeys()), absl::OkStatus());
  EXPECT_EQ(ToString(inbound->address()), ToString(address));
  EXPECT_EQ(dns.questions(kName), questions);
  RawTcp::Connect(absl::StrCat("127.0.0.1:", address.port));
  inbound->Stop();
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster::internal
