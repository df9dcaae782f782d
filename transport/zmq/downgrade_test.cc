// A secured server takes nothing from an end that speaks without CURVE or an
// older ZMTP, which has no security, and sends it nothing.

#include <stdlib.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/zmq/testing/raw_tcp.h"
#include "cluster/transport/zmq/zmq_transport.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace {

constexpr char kSecret[] = "the secret";

// The first bytes of every greeting since ZMTP 2.0. Older ends take them for a
// routing id.
std::string Signature() { return std::string("\xff\0\0\0\0\0\0\0\1\x7f", 10); }

std::string Zmtp3(const std::string& mechanism, bool as_server) {
  std::string greeting = Signature() + std::string("\3\0", 2) + mechanism;
  greeting.resize(64, '\0');
  greeting[32] = as_server ? 1 : 0;
  return greeting;
}

// The command that ends the handshake of ZMTP 3 without a mechanism.
std::string Ready(const std::string& socket_type) {
  return std::string("\4\x1a\5READY", 8) +
         std::string("\xbSocket-Type\0\0\0\4", 16) + socket_type;
}

// A frame of ZMTP 2 and 3.
std::string EvilFrame() { return std::string("\0\4evil", 6); }

// A greeting of each older version, with an empty routing id.
std::string Zmtp2(char socket_type) {
  return Signature() + std::string("\1", 1) + socket_type +
         std::string("\0\0", 2);
}
std::string Zmtp1() { return std::string("\1\0", 2); }

constexpr char kPullType = 7;
constexpr char kPushType = 8;

class DowngradeTest : public testing::Test {
 protected:
  void SetUp() override {
    keys_.cluster = TransportConfig().cluster;
    keys_.server_ids = {1, 2};
    keys_.folder = absl::StrCat(testing::TempDir(), "/downgradeXXXXXX");
    ASSERT_NE(mkdtemp(&keys_.folder[0]), nullptr);
    ASSERT_TRUE(MakeKeys(keys_).ok());
    one_ = Start(1);
  }

  std::unique_ptr<Node> Start(int id) {
    auto node = std::make_unique<Node>();
    TransportConfig config;
    config.server_id = id;
    config.frame_bytes_max = kContractFrameBytesMax;
    config.security.emplace();
    config.security->identity = absl::StrCat(keys_.folder, "/", id);
    config.security->peers[3 - id] =
        absl::StrCat(keys_.folder, "/public/", 3 - id);
    node->transport = *NewZmqTransport(config);
    EXPECT_TRUE(
        node->transport->Start(&node->handler, FreshIpv4Address()).ok());
    return node;
  }

  // 2 is heard, and nobody else was.
  void ExpectOnlyTwoIsHeard() {
    auto two = Start(2);
    ASSERT_TRUE(two->Connect(1, one_->transport->Address()).ok());
    ASSERT_TRUE(two->SendWaiting(1, "of two"));
    ASSERT_TRUE(one_->handler.WaitForFrames(1));
    EXPECT_EQ(one_->handler.Texts(), std::vector<std::string>{"of two"});
  }

  // The server closes a client that says `bytes`, and reports the reason.
  void ExpectRefused(const std::string& bytes) {
    RawTcp client = RawTcp::Connect(one_->transport->Address());
    client.Write(bytes);
    EXPECT_TRUE(client.WaitForEnd());
    ASSERT_TRUE(
        one_->handler.WaitForRejection(RefusalReason::kUnauthenticated));
    EXPECT_TRUE(absl::StrContains(one_->handler.Get().rejections[0].reason,
                                  "plaintext"))
        << one_->handler.Get().rejections[0].reason;
    ExpectOnlyTwoIsHeard();
  }

  // 1 dials a server that says `greeting`, and has something to send to it.
  void ExpectNothingIsSaidTo(const std::string& greeting) {
    RawTcp listener = RawTcp::Listen(FreshIpv4Address());
    ASSERT_TRUE(one_->Connect(2, listener.Address()).ok());
    ASSERT_TRUE(one_->SendWaiting(2, kSecret));
    RawTcp server = listener.Accept();
    server.Write(greeting);
    EXPECT_FALSE(absl::StrContains(server.ReadToEnd(), kSecret));
    EXPECT_TRUE(one_->handler.WaitForDisconnected(2));
    EXPECT_EQ(Recorded::Count(one_->handler.Get().connected, 2), 0);
  }

  KeyRequest keys_;
  std::unique_ptr<Node> one_;
};

TEST_F(DowngradeTest, AClientWithoutAMechanismIsRefused) {
  ExpectRefused(Zmtp3("NULL", false) + Ready("PUSH") + EvilFrame());
}

TEST_F(DowngradeTest, AClientWithAPasswordIsRefused) {
  ExpectRefused(Zmtp3("PLAIN", false) +
                std::string("\4\x10\5HELLO\4user\4word", 18));
}

// ZeroMQ closes these without a word to this side.
TEST_F(DowngradeTest, AClientWithAnOlderProtocolIsNotHeard) {
  const std::string frame1 = std::string("\5\0", 2) + "evil";
  for (const std::string& bytes :
       {Zmtp1() + frame1, Zmtp2(kPushType) + EvilFrame()}) {
    RawTcp client = RawTcp::Connect(one_->transport->Address());
    client.Write(bytes);
    EXPECT_TRUE(client.WaitForEnd());
  }
  ExpectOnlyTwoIsHeard();
}

TEST_F(DowngradeTest, AServerWithoutAMechanismIsToldNothing) {
  ExpectNothingIsSaidTo(Zmtp3("NULL", false) + Ready("PULL"));
}

TEST_F(DowngradeTest, AServerThatAsksForAPasswordIsToldNothing) {
  ExpectNothingIsSaidTo(Zmtp3("PLAIN", true));
}

TEST_F(DowngradeTest, AServerWithZmtp2IsToldNothing) {
  ExpectNothingIsSaidTo(Zmtp2(kPullType));
}

TEST_F(DowngradeTest, AServerWithZmtp1IsToldNothing) {
  ExpectNothingIsSaidTo(Zmtp1());
}

}  // namespace
}  // namespace cluster::internal
