#include <cerrno>

#include "cluster/transport/zmq/connection_monitor.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

using std::chrono::milliseconds;

// At is a time in milliseconds.
class AcceptedConnectionsTest : public testing::Test {
 protected:
  using Time = AcceptedConnections::Clock::time_point;

  void Accepted(std::uint32_t descriptor, int at) {
    EXPECT_FALSE(Note(ZMQ_EVENT_ACCEPTED, descriptor, at));
  }
  void HandshakeEnded(int error) {
    EXPECT_FALSE(Note(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL,
                      static_cast<std::uint32_t>(error), 0));
  }
  // Whether the end is reported as a silent connection's.
  bool DisconnectedSilent(std::uint32_t descriptor, int at) {
    const auto rejection = Note(ZMQ_EVENT_DISCONNECTED, descriptor, at);
    EXPECT_TRUE(!rejection || rejection->kind == RefusalReason::kSilent);
    return rejection.has_value();
  }

  absl::optional<Rejection> Note(int id, std::uint32_t value, int at) {
    return connections_.Note({static_cast<std::uint16_t>(id), value},
                             Time(milliseconds(at)));
  }

  AcceptedConnections connections_{milliseconds(1000)};
};

TEST_F(AcceptedConnectionsTest, ALossEarlyOnIsAHangUp) {
  for (int error : {EPIPE, ECONNRESET, ETIMEDOUT}) {
    Accepted(7, 0);
    HandshakeEnded(error);
    EXPECT_FALSE(DisconnectedSilent(7, 400)) << error;
  }
}

TEST_F(AcceptedConnectionsTest, WhatIsNoLossIsSilence) {
  Accepted(7, 0);
  HandshakeEnded(EAGAIN);
  EXPECT_TRUE(DisconnectedSilent(7, 0));
  // Also of a connection without an event at its begin.
  HandshakeEnded(EAGAIN);
  EXPECT_TRUE(DisconnectedSilent(8, 0));
}

// Its timer came right after somebody else's hang-up.
TEST_F(AcceptedConnectionsTest, SilenceWithTheErrorOfAnotherIsSilence) {
  Accepted(7, 0);
  Accepted(8, 900);
  HandshakeEnded(ECONNRESET);
  EXPECT_FALSE(DisconnectedSilent(8, 1000));
  HandshakeEnded(ECONNRESET);
  EXPECT_TRUE(DisconnectedSilent(7, 1000));
}

TEST_F(AcceptedConnectionsTest, WhatEndsWithoutAFailedHandshakeHadDoneIt) {
  Accepted(7, 0);
  EXPECT_FALSE(DisconnectedSilent(7, 5000));
}

TEST_F(AcceptedConnectionsTest, ADescriptorsNextConnectionIsItsOwn) {
  Accepted(7, 0);
  Accepted(7, 900);
  HandshakeEnded(EPIPE);
  EXPECT_FALSE(DisconnectedSilent(7, 1000));
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster::internal
