#include "cluster/transport/zmq/outbound_peer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/zmq/context.h"
#include "cluster/transport/zmq/testing/raw_tcp.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

constexpr int kWaitMs = 100;

class OutboundPeerTest : public testing::Test {
 protected:
  OutboundPeerTest() {
    sockets_.settings = *ReadSettings(TransportConfig());
    sockets_.context = NewContext(sockets_.settings);
    sockets_.poll_set = *PollSet::Open();
    EXPECT_TRUE(peer_.Dial(*ParseAddress(listener_.Address()), 1).ok());
  }

  // The report of a pause is the last one of its Serve.
  bool ReportedAPause() const {
    return absl::StrContains(handler_.Get().reason, "in a row");
  }
  int reports() const {
    const Recorded calls = handler_.Get();
    return Recorded::Count(calls.connected, 2) +
           Recorded::Count(calls.disconnected, 2);
  }

  // Resets a connection in its handshake. Before ZeroMQ notices that it is
  // connected, a reset would be an attempt that failed, and no refusal.
  static void Refuse(RawTcp dialled) {
    EXPECT_TRUE(dialled.Skip(1));
    dialled.Reset();
  }

  // Resets all connections until ZeroMQ no longer dials.
  void RefuseUntilPaused() {
    while (!ReportedAPause()) {
      Refuse(listener_.Accept());
      sockets_.poll_set->Wait(kWaitMs);
      peer_.Serve(&handler_);
    }
  }

  Sockets sockets_;
  RecordingHandler handler_;
  RawTcp listener_ = RawTcp::Listen("127.0.0.1:0");
  OutboundPeer peer_{2, &sockets_};
};

// The events' thread looks at all peers when it is woken.
TEST_F(OutboundPeerTest, APauseIsThereUntilItIsDialledAgain) {
  RefuseUntilPaused();
  const int before = reports();
  EXPECT_TRUE(peer_.Serve(&handler_));
  EXPECT_TRUE(peer_.Serve(&handler_));
  EXPECT_EQ(reports(), before);
}

TEST_F(OutboundPeerTest, ALookAtADialUnderWayDoesNotEndIt) {
  RefuseUntilPaused();
  const int before = reports();
  ASSERT_TRUE(peer_.Redial().ok());
  EXPECT_FALSE(peer_.Serve(&handler_));
  RawTcp dialled = listener_.Accept();
  EXPECT_FALSE(peer_.Serve(&handler_));
  EXPECT_EQ(reports(), before);
  // One refusal more is enough from here on, and no news.
  Refuse(std::move(dialled));
  sockets_.poll_set->Wait(kWaitMs);
  while (!peer_.Serve(&handler_)) {
    EXPECT_TRUE(reports() == before || !ReportedAPause());
    Refuse(listener_.Accept());
    sockets_.poll_set->Wait(kWaitMs);
  }
  EXPECT_GT(reports(), before);
  EXPECT_FALSE(ReportedAPause());
}

// Even if the new connection has no news yet.
TEST_F(OutboundPeerTest, ADialThatDropsAFullQueueMakesRoom) {
  const Frame frame{{MakeSlice("frame")}};
  while (peer_.Send(frame, frame.size()) == SendResult::kSent) {
  }
  peer_.Serve(&handler_);
  ASSERT_EQ(handler_.writable(2), 0);
  ASSERT_TRUE(peer_.Dial(*ParseAddress(listener_.Address()), 2).ok());
  const auto keys = sockets_.poll_set->Wait(kWaitMs);
  EXPECT_NE(std::find(keys.begin(), keys.end(), PollSet::kWakeKey), keys.end());
  peer_.Serve(&handler_);
  EXPECT_EQ(handler_.writable(2), 1);
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster::internal
