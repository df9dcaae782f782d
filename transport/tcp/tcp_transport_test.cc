// The tcp backend: the contract of all transports, with and without polling, and
// its own options. //tests/streams tests the rest, for all backends on byte
// streams.

#include "cluster/transport/tcp/tcp_transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/strip.h"
#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/resolver/testing/fresh_name.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

absl::StatusOr<std::unique_ptr<Transport>> NewPolling(TransportConfig config) {
  config.options.values["spin_us"] = std::int64_t{100};
  return NewTcpTransport(config);
}

INSTANTIATE_TEST_SUITE_P(
    Tcp, TransportContract,
    testing::Values(
        TransportUnderTest{"ipv4", NewTcpTransport, FreshIpv4Address},
        TransportUnderTest{"ipv6", NewTcpTransport, FreshIpv6Address},
        TransportUnderTest{"ipc", NewTcpTransport, FreshIpcAddress},
        TransportUnderTest{"name", NewTcpTransport, FreshName},
        TransportUnderTest{"polling", NewPolling, FreshIpv4Address}),
    TransportUnderTest::Name);

absl::Status OptionStatus(const std::string& key, std::int64_t value) {
  TransportConfig config;
  config.options.origin = "configs/a.json:7: $.tcp";
  config.options.values[key] = value;
  return NewTcpTransport(config).status();
}

TEST(TcpTransport, OptionsHaveBounds) {
  for (const char* key :
       {"spin_us", "keepalive_seconds", "tcp_user_timeout_ms"}) {
    EXPECT_EQ(OptionStatus(key, 0), absl::OkStatus());
    EXPECT_EQ(OptionStatus(key, 1000), absl::OkStatus());
    for (const std::int64_t value : {std::int64_t{-1}, std::int64_t{1} << 31}) {
      const absl::Status status = OptionStatus(key, value);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << key;
      EXPECT_THAT(std::string(status.message()),
                  testing::HasSubstr("configs/a.json:7"));
    }
  }
}

std::unique_ptr<Node> StartNode(const std::string& address,
                                std::int64_t spin_us = 0) {
  TransportConfig config;
  config.options.values["spin_us"] = spin_us;
  auto node = std::make_unique<Node>();
  node->transport = *NewTcpTransport(config);
  const absl::Status status = node->transport->Start(&node->handler, address);
  EXPECT_TRUE(status.ok()) << status;
  return node;
}

// How often the receiving thread goes to sleep while frames come one by one.
long SleepsOfReceiver(std::int64_t spin_us) {
  constexpr std::size_t kFrames = 200;
  auto receiver = StartNode("127.0.0.1:0", spin_us);
  auto sender = StartNode("127.0.0.1:0");
  long sleeps = 0;
  std::thread::id last_thread;
  long last_count = 0;
  receiver->handler.on_frame = [&](const ReceivedFrame&) {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    // The other receiving thread has counted others.
    if (std::this_thread::get_id() == last_thread)
      sleeps += usage.ru_nvcsw - last_count;
    last_thread = std::this_thread::get_id();
    last_count = usage.ru_nvcsw;
    return FrameVerdict::kAccepted;
  };
  EXPECT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  for (std::size_t frame = 1; frame <= kFrames; ++frame) {
    EXPECT_EQ(sender->Send(2, "frame"), SendResult::kSent);
    EXPECT_TRUE(receiver->handler.WaitForFrames(frame));
  }
  receiver->transport->Stop(absl::ZeroDuration());
  return sleeps;
}

TEST(TcpTransport, ItSleepsUnlessItPolls) {
  const long sleeping = SleepsOfReceiver(0);
  const long polling = SleepsOfReceiver(1000000);
  EXPECT_GT(sleeping, 50);
  EXPECT_LT(polling, sleeping / 2);
}

// A receiver that is behind takes what has arrived on all connections before it
// calls OnDrained.
TEST(TcpTransport, OneOnDrainedServesManyConnections) {
  constexpr int kConnections = 48;
  auto receiver = StartNode("127.0.0.1:0");
  auto sender = StartNode("127.0.0.1:0");
  Gate sent;
  receiver->handler.on_frame = [&](const ReceivedFrame&) {
    sent.Wait();
    return FrameVerdict::kAccepted;
  };
  for (int peer = 1; peer <= kConnections; ++peer) {
    ASSERT_TRUE(sender->Connect(peer, receiver->transport->Address()).ok());
    ASSERT_TRUE(sender->handler.WaitForConnected(peer));
  }
  for (int peer = 1; peer <= kConnections; ++peer)
    EXPECT_EQ(sender->Send(peer, "frame"), SendResult::kSent);
  sent.Open();
  ASSERT_TRUE(receiver->handler.WaitForFrames(kConnections));
  ASSERT_TRUE(receiver->handler.WaitFor([](const Recorded& recorded) {
    return recorded.drained_frames == recorded.frame_count;
  }));
  EXPECT_LE(receiver->handler.Get().drained_count, kConnections / 2);
}

// The socket fills with whole small frames, so the next one finds no room at all.
TEST(TcpTransport, AFullSocketLosesNothing) {
  auto receiver = StartNode("127.0.0.1:0");
  auto sender = StartNode("127.0.0.1:0");
  Gate full;
  receiver->handler.on_frame = [&](const ReceivedFrame&) {
    full.Wait();
    return FrameVerdict::kAccepted;
  };
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  ASSERT_TRUE(sender->handler.WaitForConnected(2));
  const std::size_t taken = sender->Fill(2, 1000, 1000000);
  EXPECT_LT(taken, 1000000u);
  full.Open();
  EXPECT_TRUE(receiver->handler.WaitForFrames(taken));
  EXPECT_EQ(Recorded::Count(sender->handler.Get().disconnected, 2), 0);
}

int OptionOf(int fd, int option) {
  int value = -1;
  socklen_t bytes = sizeof(value);
  getsockopt(fd, IPPROTO_TCP, option, &value, &bytes);
  return value;
}

TEST(TcpTransport, OptionsReachTheSockets) {
  TransportConfig config;
  config.options.values["keepalive_seconds"] = std::int64_t{77};
  config.options.values["tcp_user_timeout_ms"] = std::int64_t{4321};
  Node node;
  node.transport = *NewTcpTransport(config);
  ASSERT_TRUE(node.transport->Start(&node.handler, "127.0.0.1:0").ok());
  ASSERT_TRUE(node.Connect(1, node.transport->Address()).ok());
  ASSERT_TRUE(node.handler.WaitForConnected(1));
  int ends = 0;
  for (int fd = 0; fd < 1000; ++fd) {
    if (OptionOf(fd, TCP_KEEPIDLE) != 77) continue;
    ++ends;
    EXPECT_EQ(OptionOf(fd, TCP_KEEPINTVL), 77);
    EXPECT_EQ(OptionOf(fd, TCP_USER_TIMEOUT), 4321);
    EXPECT_EQ(OptionOf(fd, TCP_NODELAY), 1);
  }
  EXPECT_EQ(ends, 2);
}

TEST(TcpTransport, ASocketFileThatReplacedItsOwnStays) {
  const std::string address = FreshIpcAddress();
  const std::string path(absl::StripPrefix(address, "ipc://"));
  auto node = StartNode(address);
  ASSERT_EQ(unlink(path.c_str()), 0);
  std::ofstream(path) << "of another";
  node->transport->Stop(absl::ZeroDuration());
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  unlink(path.c_str());
}

}  // namespace
}  // namespace cluster::internal
