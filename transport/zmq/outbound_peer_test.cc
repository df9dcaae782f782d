#include "cluster/transport/zmq/outbound_peer.h"

#include <memory>
#include <vector>

#include "absl/strings/match.h"
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

  // Resets whoever dials until the peer is no longer dialled by ZeroMQ.
  void RefuseUntilPaused() {
    bool paused = false;
    while (!paused) {
      listener_.Accept().Reset();
      sockets_.poll_set->Wait(kWaitMs);
      std::vector<SessionReport> reports;
      peer_.TakeReports(&reports);
      for (const SessionReport& report : reports)
        paused = paused || absl::StrContains(report.reason, "in a row");
    }
  }

  Sockets sockets_;
  RawTcp listener_ = RawTcp::Listen("127.0.0.1:0");
  OutboundPeer peer_{2, &sockets_};
};

// The loop looks at all peers whenever one of them has news.
TEST_F(OutboundPeerTest, APauseIsThereUntilItIsDialledAgain) {
  RefuseUntilPaused();
  std::vector<SessionReport> reports;
  EXPECT_TRUE(peer_.TakeReports(&reports));
  EXPECT_TRUE(peer_.TakeReports(&reports));
  EXPECT_TRUE(reports.empty());
}

TEST_F(OutboundPeerTest, ALookAtADialUnderWayDoesNotEndIt) {
  RefuseUntilPaused();
  ASSERT_TRUE(peer_.Redial().ok());
  std::vector<SessionReport> reports;
  EXPECT_FALSE(peer_.TakeReports(&reports));
  RawTcp dialled = listener_.Accept();
  EXPECT_FALSE(peer_.TakeReports(&reports));
  EXPECT_TRUE(reports.empty());
  // One refusal more is enough from here on, and is not told as news.
  dialled.Reset();
  sockets_.poll_set->Wait(kWaitMs);
  while (!peer_.TakeReports(&reports)) {
    listener_.Accept().Reset();
    sockets_.poll_set->Wait(kWaitMs);
  }
  for (const SessionReport& report : reports)
    EXPECT_FALSE(absl::StrContains(report.reason, "in a row"));
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster::internal
