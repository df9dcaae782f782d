// Strangers do nothing to a transport over ZeroMQ.

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/zmq/testing/raw_tcp.h"
#include "cluster/transport/zmq/zmq_transport.h"
#include "gtest/gtest.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace {

// ZMTP 3.0's greeting, with a mechanism that nobody knows.
std::string StrangeGreeting() {
  std::string greeting(64, '\0');
  greeting[0] = '\xff';
  greeting[9] = '\x7f';
  greeting[10] = 3;
  greeting.replace(12, 5, "BOGUS");
  return greeting;
}

class StrangerTest : public testing::Test {
 protected:
  static std::unique_ptr<Node> Start(
      int id, const std::string& address = FreshIpv4Address(),
      absl::Duration handshake_timeout = absl::Seconds(5)) {
    auto node = std::make_unique<Node>();
    TransportConfig config;
    config.frame_bytes_max = kContractFrameBytesMax;
    config.server_id = id;
    config.handshake_timeout = handshake_timeout;
    node->transport = *NewZmqTransport(config);
    const absl::Status status = node->transport->Start(&node->handler, address);
    EXPECT_TRUE(status.ok()) << status;
    return node;
  }

  // A frame from a good peer still arrives.
  static void ExpectAlive(Node& node) {
    auto friendly = Start(50);
    ASSERT_TRUE(friendly->Connect(1, node.transport->Address()).ok());
    ASSERT_TRUE(friendly->SendWaiting(1, "alive"));
    EXPECT_TRUE(node.handler.WaitFor(
        [](const Recorded& r) { return r.HasFrame("alive"); }));
  }
};

zmq::socket_t PushTo(const std::string& address, zmq::context_t* context) {
  zmq::socket_t push(*context, zmq::socket_type::push);
  push.set(zmq::sockopt::linger, 0);
  push.connect("tcp://" + address);
  return push;
}

TEST_F(StrangerTest, MessagesOfManyPartsAreDropped) {
  auto node = Start(1);
  zmq::context_t context;
  zmq::socket_t push = PushTo(node->transport->Address(), &context);
  const auto more = zmq::send_flags::sndmore;
  for (int i = 0; i < 100; ++i) {
    push.send(zmq::str_buffer("first"), more);
    push.send(zmq::str_buffer("second"), more);
    push.send(zmq::str_buffer("last"), zmq::send_flags::none);
  }
  push.send(zmq::str_buffer("whole"), zmq::send_flags::none);
  ASSERT_TRUE(node->handler.WaitForFrames(1));
  EXPECT_EQ(node->handler.Texts(), std::vector<std::string>{"whole"});
  EXPECT_EQ(node->handler.Get().frame_count, 1u);
  EXPECT_TRUE(node->handler.Get().HasRejection(RefusalReason::kMalformed));
}

TEST_F(StrangerTest, MessagesOfTwoPartsAreFrames) {
  auto node = Start(1);
  zmq::context_t context;
  zmq::socket_t push = PushTo(node->transport->Address(), &context);
  const auto more = zmq::send_flags::sndmore;
  push.send(zmq::str_buffer("head"), more);
  push.send(zmq::str_buffer("body"), zmq::send_flags::none);
  push.send(zmq::const_buffer(), more);
  push.send(zmq::str_buffer("only"), zmq::send_flags::none);
  push.send(zmq::str_buffer("only"), more);
  push.send(zmq::const_buffer(), zmq::send_flags::none);
  ASSERT_TRUE(node->handler.WaitForFrames(3));
  EXPECT_EQ(node->handler.Texts(),
            (std::vector<std::string>{"headbody", "only", "only"}));
  EXPECT_EQ(node->handler.Get().frames[0].rest.bytes, "body");
}

// ZeroMQ would dial 50 times a second.
TEST_F(StrangerTest, WhoRefusesAllHandshakesIsDialledLessOftenAndNotGivenUp) {
  std::atomic<bool> paused{false};
  auto node = Start(1);
  auto listener =
      absl::make_optional<RawTcp>(RawTcp::Listen(FreshIpv4Address()));
  const std::string address = listener->Address();
  node->handler.on_disconnected = [&](int, std::uint64_t) {
    if (absl::StrContains(node->handler.Get().reason, "handshakes in a row"))
      paused = true;
  };
  ASSERT_TRUE(node->Connect(2, address).ok());
  while (!paused) listener->Accept().Reset();
  listener.reset();
  auto peer = Start(2, address);
  ASSERT_TRUE(node->handler.WaitForConnected(2, 1));
  EXPECT_TRUE(node->SendWaiting(2, "after all"));
  EXPECT_TRUE(peer->handler.WaitForFrames(1));
}

TEST_F(StrangerTest, GarbageHarmsNothing) {
  auto node = Start(1);
  const std::string address = node->transport->Address();
  std::vector<RawTcp> clients;
  for (const std::string& garbage :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100000, '\xff'),
        std::string(100000, '\0'), StrangeGreeting(), std::string("\x05", 1)}) {
    clients.push_back(RawTcp::Connect(address));
    clients.back().Write(garbage);
  }
  ExpectAlive(*node);
}

TEST_F(StrangerTest, FinAndResetInTheHandshakeHarmNothing) {
  auto node = Start(1);
  const std::string address = node->transport->Address();
  for (int i = 0; i < 100; ++i) {
    RawTcp client = RawTcp::Connect(address);
    if (i % 2 == 0) client.Write(StrangeGreeting().substr(0, i % 64));
    client.FinishWriting();
    client.Reset();
  }
  ExpectAlive(*node);
}

// A peer connects and closes to find out whether this server still listens.
TEST_F(StrangerTest, AProbeIsNoEvent) {
  auto node = Start(1);
  for (int i = 0; i < 100; ++i) {
    RawTcp probe = RawTcp::Connect(node->transport->Address());
    if (i % 2 == 0) probe.Reset();
  }
  ExpectAlive(*node);
  EXPECT_EQ(node->handler.Get().rejections.size(), 0u);
}

TEST_F(StrangerTest, SilenceIsCutOff) {
  auto node = Start(1, FreshIpv4Address(), absl::Milliseconds(100));
  RawTcp client = RawTcp::Connect(node->transport->Address());
  EXPECT_TRUE(client.WaitForEnd());
  ExpectAlive(*node);
}

// After an error of its protocol ZeroMQ itself never dials again.
TEST_F(StrangerTest, AServerThatBreaksTheProtocolIsDialledAgain) {
  auto node = Start(1);
  RawTcp listener = RawTcp::Listen(FreshIpv4Address());
  const std::string address = listener.Address();
  ASSERT_TRUE(node->Connect(2, address).ok());
  for (int i = 0; i < 2; ++i) {
    RawTcp server = listener.Accept();
    server.Write(StrangeGreeting());
    EXPECT_TRUE(server.WaitForEnd());
  }
  ASSERT_TRUE(node->handler.WaitForDisconnected(2));
  EXPECT_TRUE(absl::StrContains(node->handler.Get().reason, address));
  listener.Close();

  auto real = Start(2, address);
  ASSERT_TRUE(node->handler.WaitForConnected(2));
  ASSERT_TRUE(node->SendWaiting(2, "at last"));
  EXPECT_TRUE(real->handler.WaitForFrames(1));
}

// The next connection makes room for a frame that the socket refused while it
// had no connection.
TEST_F(StrangerTest, BackPressureOutlivesABrokenProtocol) {
  auto node = Start(1);
  RawTcp listener = RawTcp::Listen(FreshIpv4Address());
  const std::string address = listener.Address();
  ASSERT_TRUE(node->Connect(2, address).ok());
  ASSERT_LT(node->Fill(2, 100, 100000), 100000u);
  RawTcp server = listener.Accept();
  server.Write(StrangeGreeting());
  EXPECT_TRUE(server.WaitForEnd());
  EXPECT_TRUE(node->handler.WaitForWritable(2, 1));
}

TEST_F(StrangerTest, AConnectionThatFlapsIsReportedEachTime) {
  constexpr int kTimes = 10;
  auto node = Start(1);
  RawTcp listener = RawTcp::Listen(FreshIpv4Address());
  ASSERT_TRUE(node->Connect(2, listener.Address()).ok());
  for (int i = 0; i < kTimes; ++i) listener.Accept().Reset();
  EXPECT_TRUE(node->handler.WaitForDisconnected(2, kTimes));
}

TEST_F(StrangerTest, AnUnresolvableNameIsTriedInTheBackground) {
  auto node = Start(1);
  ASSERT_TRUE(node->Connect(2, "nobody.invalid:1").ok());
  EXPECT_TRUE(node->handler.WaitForDisconnected(2, 2));
}

}  // namespace
}  // namespace cluster::internal
