#include "cluster/transport/zmq/accepted_links.h"

#include <cerrno>

#include "gtest/gtest.h"

namespace cluster {
namespace zmq_backend {
namespace {

using End = AcceptedLinks::End;
using std::chrono::milliseconds;

class AcceptedLinksTest : public testing::Test {
 protected:
  static AcceptedLinks::Clock::time_point At(int ms) {
    return AcceptedLinks::Clock::time_point(milliseconds(ms));
  }

  AcceptedLinks links_{milliseconds(1000)};
};

TEST_F(AcceptedLinksTest, ALossEarlyOnIsAHangUp) {
  for (int error : {EPIPE, ECONNRESET, ETIMEDOUT}) {
    links_.Accepted(7, At(0));
    links_.HandshakeEnded(error);
    EXPECT_EQ(links_.Disconnected(7, At(400)), End::kHungUp) << error;
  }
}

TEST_F(AcceptedLinksTest, WhatIsNoLossIsSilence) {
  links_.Accepted(7, At(0));
  links_.HandshakeEnded(EAGAIN);
  EXPECT_EQ(links_.Disconnected(7, At(0)), End::kSilent);
  // And of one that nobody told of.
  links_.HandshakeEnded(EAGAIN);
  EXPECT_EQ(links_.Disconnected(8, At(0)), End::kSilent);
}

// Its timer came right after somebody else's hang-up.
TEST_F(AcceptedLinksTest, SilenceWithTheErrorOfAnotherIsSilence) {
  links_.Accepted(7, At(0));
  links_.Accepted(8, At(900));
  links_.HandshakeEnded(ECONNRESET);
  EXPECT_EQ(links_.Disconnected(8, At(1000)), End::kHungUp);
  links_.HandshakeEnded(ECONNRESET);
  EXPECT_EQ(links_.Disconnected(7, At(1000)), End::kSilent);
}

TEST_F(AcceptedLinksTest, WhatEndsWithoutAFailedHandshakeHadDoneIt) {
  links_.Accepted(7, At(0));
  EXPECT_EQ(links_.Disconnected(7, At(5000)), End::kLater);
}

TEST_F(AcceptedLinksTest, ADescriptorsNextConnectionIsItsOwn) {
  links_.Accepted(7, At(0));
  links_.Accepted(7, At(900));
  links_.HandshakeEnded(EPIPE);
  EXPECT_EQ(links_.Disconnected(7, At(1000)), End::kHungUp);
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster
