// Disconnect of a connected peer that takes nothing: the transport gives up the
// connection after a while, and no call waits longer than that.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/registry.h"
#include "gtest/gtest.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

// More than the buffers of the system hold.
constexpr std::size_t kFrameBytes = 32u << 20;

std::unique_ptr<Node> NewNode(const std::string& backend, int id) {
  const auto factory = FindTransport(backend);
  EXPECT_TRUE(factory.ok()) << factory.status();
  TransportConfig config;
  config.server_id = id;
  config.frame_bytes_max = kFrameBytes;
  // No timeout of the handshake ends the connection.
  config.handshake_timeout = absl::Hours(1);
  if (backend == "zmq") {
    config.options.values["send_hwm"] = std::int64_t{8};
    config.options.values["receive_hwm"] = std::int64_t{1};
  }
  auto transport = (*factory)(config);
  EXPECT_TRUE(transport.ok()) << transport.status();
  auto node = std::make_unique<Node>();
  node->transport = *std::move(transport);
  return node;
}

// Bytes that open a gate when their last share is destroyed.
Slice Watched(std::string text, Gate* gone) {
  const std::shared_ptr<const std::string> owner(
      new std::string(std::move(text)), [gone](const std::string* bytes) {
        delete bytes;
        gone->Open();
      });
  return Slice{owner, *owner};
}

class PartingTest : public testing::TestWithParam<const char*> {
 protected:
  void TearDown() override {
    going_on_.Open();  // in case the test failed half way
    sender_.reset();
    receiver_.reset();
  }

  // Connects the sender to a receiver that takes nothing, and sends more than
  // fits in between. gone_ opens when the sender holds none of it.
  void FillThePeerThatStandsStill() {
    receiver_ = NewNode(GetParam(), 2);
    sender_ = NewNode(GetParam(), 1);
    receiver_->handler.on_frame = [this](const ReceivedFrame&) {
      standing_still_.Open();
      going_on_.Wait();
      return FrameVerdict::kAccepted;
    };
    for (Node* node : {receiver_.get(), sender_.get()}) {
      ASSERT_TRUE(
          node->transport->Start(&node->handler, FreshIpv4Address()).ok());
    }
    ASSERT_TRUE(sender_->Connect(2, receiver_->transport->Address()).ok());
    ASSERT_TRUE(sender_->handler.WaitForConnected(2));
    ASSERT_TRUE(sender_->SendWaiting(2, "the last that it takes"));
    standing_still_.Wait();
    const Frame frame{{Watched(std::string(kFrameBytes, 'p'), &gone_)}};
    while (sender_->transport->Send(2, frame) == SendResult::kSent) {
    }
  }

  Gate standing_still_;
  Gate gone_;
  Gate going_on_;
  std::unique_ptr<Node> receiver_;
  std::unique_ptr<Node> sender_;
};

// The test's own time limit is the bound.
TEST_P(PartingTest, APeerThatStandsStillIsGivenUp) {
  FillThePeerThatStandsStill();
  ASSERT_FALSE(HasFatalFailure());
  sender_->transport->Disconnect(2);
  gone_.Wait();
  EXPECT_EQ(receiver_->handler.Get().frame_count, 0u);
}

TEST_P(PartingTest, StopDoesNotLingerForAPeerThatWasLeft) {
  FillThePeerThatStandsStill();
  ASSERT_FALSE(HasFatalFailure());
  sender_->transport->Disconnect(2);
  sender_->transport->Stop(absl::Hours(1));
  gone_.Wait();
  EXPECT_EQ(receiver_->handler.Get().frame_count, 0u);
}

INSTANTIATE_TEST_SUITE_P(Backends, PartingTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
