#include "cluster/transport/zmq/accepted_connections.h"

#include <cerrno>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

using End = AcceptedConnections::End;
using std::chrono::milliseconds;

class AcceptedConnectionsTest : public testing::Test {
 protected:
  static AcceptedConnections::Clock::time_point At(int ms) {
    return AcceptedConnections::Clock::time_point(milliseconds(ms));
  }

  AcceptedConnections connections_{milliseconds(1000)};
};

TEST_F(AcceptedConnectionsTest, ALossEarlyOnIsAHangUp) {
  for (int error : {EPIPE, ECONNRESET, ETIMEDOUT}) {
    connections_.Accepted(7, At(0));
    connections_.HandshakeEnded(error);
    EXPECT_EQ(connections_.Disconnected(7, At(400)), End::kHungUp) << error;
  }
}

TEST_F(AcceptedConnectionsTest, WhatIsNoLossIsSilence) {
  connections_.Accepted(7, At(0));
  connections_.HandshakeEnded(EAGAIN);
  EXPECT_EQ(connections_.Disconnected(7, At(0)), End::kSilent);
  // And of one that nobody told of.
  connections_.HandshakeEnded(EAGAIN);
  EXPECT_EQ(connections_.Disconnected(8, At(0)), End::kSilent);
}

// Its timer came right after somebody else's hang-up.
TEST_F(AcceptedConnectionsTest, SilenceWithTheErrorOfAnotherIsSilence) {
  connections_.Accepted(7, At(0));
  connections_.Accepted(8, At(900));
  connections_.HandshakeEnded(ECONNRESET);
  EXPECT_EQ(connections_.Disconnected(8, At(1000)), End::kHungUp);
  connections_.HandshakeEnded(ECONNRESET);
  EXPECT_EQ(connections_.Disconnected(7, At(1000)), End::kSilent);
}

TEST_F(AcceptedConnectionsTest, WhatEndsWithoutAFailedHandshakeHadDoneIt) {
  connections_.Accepted(7, At(0));
  EXPECT_EQ(connections_.Disconnected(7, At(5000)), End::kLater);
}

TEST_F(AcceptedConnectionsTest, ADescriptorsNextConnectionIsItsOwn) {
  connections_.Accepted(7, At(0));
  connections_.Accepted(7, At(900));
  connections_.HandshakeEnded(EPIPE);
  EXPECT_EQ(connections_.Disconnected(7, At(1000)), End::kHungUp);
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster::internal
