#include "cluster/transport/memory/memory_transport.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "cluster/base/testing/no_more_threads.h"
#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/contract/recording_handler.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

INSTANTIATE_TEST_SUITE_P(
    Memory, TransportContract,
    testing::Values(
        TransportUnderTest{
            "text", NewMemoryTransport, [] { return "server:0"; }, {""}},
        TransportUnderTest{"ipv6", NewMemoryTransport, FreshIpv6Address, {""}}),
    TransportUnderTest::Name);

std::unique_ptr<Node> Start(const std::string& address,
                            TransportConfig config = TransportConfig()) {
  auto node = std::make_unique<Node>();
  node->transport = *NewMemoryTransport(config);
  const absl::Status started = node->transport->Start(&node->handler, address);
  EXPECT_TRUE(started.ok()) << started;
  return node;
}

TransportConfig WithQueue(std::int64_t bytes) {
  TransportConfig config;
  config.options.values["queue_bytes_max"] = bytes;
  return config;
}

TEST(MemoryTransport, WithoutAThreadItDoesNotStartAndLeavesItsAddress) {
  auto transport = NewMemoryTransport(TransportConfig());
  ASSERT_TRUE(transport.ok()) << transport.status();
  RecordingHandler handler;
  {
    const NoMoreThreads none;
    EXPECT_EQ((*transport)->Start(&handler, "threadless").code(),
              absl::StatusCode::kResourceExhausted);
  }
  Start("threadless");
}

TEST(MemoryTransport, AnyTextIsAnAddress) {
  auto node = Start("the server in the corner");
  EXPECT_EQ(node->transport->Address(), "the server in the corner");
  auto sender = Start("a:0");
  ASSERT_TRUE(sender->Connect(2, "the server in the corner").ok());
  ASSERT_EQ(sender->Send(2, "hello"), SendResult::kSent);
  EXPECT_TRUE(node->handler.WaitForFrames(1));
}

TEST(MemoryTransport, PortZeroNeverGivesAnAddressThatIsTaken) {
  auto first = Start("a:0");
  // The numbers that follow are taken by name.
  const std::string address = first->transport->Address();
  const int number = std::stoi(address.substr(2));
  std::vector<std::unique_ptr<Node>> named;
  for (int i = 1; i <= 3; ++i) {
    named.push_back(Start("a:" + std::to_string(number + i)));
  }
  auto second = Start("a:0");
  EXPECT_EQ(second->transport->Address(), "a:" + std::to_string(number + 4));
}

TEST(MemoryTransport, ClustersAreApart) {
  TransportConfig red;
  red.cluster = "red";
  TransportConfig blue;
  blue.cluster = "blue";
  auto red_receiver = Start("receiver", red);
  auto blue_receiver = Start("receiver", blue);
  auto red_sender = Start("sender", red);
  auto blue_sender = Start("sender", blue);
  ASSERT_TRUE(red_sender->Connect(2, "receiver").ok());
  ASSERT_TRUE(blue_sender->Connect(2, "receiver").ok());
  ASSERT_EQ(red_sender->Send(2, "red"), SendResult::kSent);
  ASSERT_EQ(blue_sender->Send(2, "blue"), SendResult::kSent);
  ASSERT_TRUE(red_receiver->handler.WaitForFrames(1));
  ASSERT_TRUE(blue_receiver->handler.WaitForFrames(1));
  EXPECT_EQ(red_receiver->handler.Texts()[0], "red");
  EXPECT_EQ(blue_receiver->handler.Texts()[0], "blue");
}

TEST(MemoryTransport, AFrameOfOneSliceIsNotCopied) {
  auto receiver = Start("receiver:0");
  auto sender = Start("sender:0");
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  const Slice slice = MakeSlice(std::string(1000, 's'));
  ASSERT_EQ(sender->transport->Send(2, Frame{{Slice{}, slice}}),
            SendResult::kSent);
  ASSERT_TRUE(receiver->handler.WaitForFrames(1));
  const ReceivedFrame received = receiver->handler.Get().frames[0];
  EXPECT_EQ(received.slice.bytes.data(), slice.bytes.data());
  EXPECT_EQ(received.slice.owner, slice.owner);
  EXPECT_EQ(received.identity, absl::nullopt);
}

TEST(MemoryTransport, TheQueueHoldsTheBytesOfTheOption) {
  constexpr std::size_t kFrames = 64;
  auto sender = Start("sender:0", WithQueue(kFrames * 1024));
  ASSERT_TRUE(sender->Connect(2, "nobody").ok());
  EXPECT_EQ(sender->Fill(2, 1024 - 64, 1000), kFrames);
}

TEST(MemoryTransport, EmptyFramesAreBoundedToo) {
  auto sender = Start("sender:0", WithQueue(64 << 10));
  ASSERT_TRUE(sender->Connect(2, "nobody").ok());
  EXPECT_EQ(sender->Fill(2, 0, 100000), 1024u);
}

TEST(MemoryTransport, AFrameLargerThanTheQueueGoesAlone) {
  auto receiver = Start("receiver:0");
  auto sender = Start("sender:0", WithQueue(64 << 10));
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(sender->SendWaiting(2, std::string(1 << 20, 'l')));
  }
  EXPECT_TRUE(receiver->handler.WaitForFrames(3));
}

TEST(MemoryTransport, OptionsAreChecked) {
  EXPECT_EQ(NewMemoryTransport(WithQueue(1)).status().code(),
            absl::StatusCode::kInvalidArgument);
  TransportConfig config;
  config.options.values["queue_byte_max"] = std::int64_t{1 << 20};
  const absl::Status status = NewMemoryTransport(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(status.message(), "queue_bytes_max")) << status;
}

TEST(MemoryTransport, AMalformedFrameBreaksTheConnection) {
  auto receiver = std::make_unique<Node>();
  receiver->transport = *NewMemoryTransport(TransportConfig());
  receiver->handler.on_frame = [](const ReceivedFrame& frame) {
    return frame.slice.bytes == "bad" ? FrameVerdict::kMalformed
                                      : FrameVerdict::kAccepted;
  };
  ASSERT_TRUE(
      receiver->transport->Start(&receiver->handler, "receiver:0").ok());
  auto sender = Start("sender:0");
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  ASSERT_EQ(sender->Send(2, "bad"), SendResult::kSent);
  EXPECT_TRUE(sender->handler.WaitForDisconnected(2, 1));
  EXPECT_TRUE(sender->handler.WaitForConnected(2, 2));
  ASSERT_EQ(sender->Send(2, "good"), SendResult::kSent);
  EXPECT_TRUE(receiver->handler.WaitFor(
      [](const Recorded& r) { return r.HasFrame("good"); }));
}

TEST(MemoryTransport, APeerThatStopsLosesItsFramesAndMakesRoom) {
  auto receiver = std::make_unique<Node>();
  receiver->transport = *NewMemoryTransport(TransportConfig());
  Gate gate;
  receiver->handler.on_frame = [&](const ReceivedFrame&) {
    gate.Wait();
    return FrameVerdict::kAccepted;
  };
  ASSERT_TRUE(
      receiver->transport->Start(&receiver->handler, "receiver:0").ok());
  const std::string address = receiver->transport->Address();
  auto sender = Start("sender:0", WithQueue(1 << 20));
  ASSERT_TRUE(sender->Connect(2, address).ok());
  EXPECT_LT(sender->Fill(2, 10000, 1000), 1000u);

  std::thread stopper([&] { receiver->transport->Stop(absl::ZeroDuration()); });
  EXPECT_TRUE(sender->handler.WaitForWritable(2, 1));
  EXPECT_TRUE(sender->handler.WaitForDisconnected(2));
  gate.Open();
  stopper.join();

  auto next = Start(address);
  EXPECT_TRUE(sender->handler.WaitForConnected(2, 2));
  ASSERT_EQ(sender->Send(2, "fresh"), SendResult::kSent);
  ASSERT_TRUE(next->handler.WaitForFrames(1));
  EXPECT_EQ(next->handler.Texts()[0], "fresh");
}

}  // namespace
}  // namespace cluster::internal
