// Frames on their way from the transport to a session.

#include "cluster/server/reliable_delivery.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "cluster/server/testing/wires.h"
#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

// As TestSessionConfig is.
Config TestConfig() {
  Config config;
  config.cluster = "test";
  config.servers = {{1, "wires"}, {2, "wires"}};
  return config;
}

// Server 1 with the peer 2, whose frames the test carries.
class ReliableDeliveryTest : public testing::Test {
 protected:
  void SetUp() override {
    delivery_.Add(2, PeerStats());
    delivery_.Begin(TestSessionConfig(1, 2).incarnation);
    delivery_.OnConnected(2, Peer::DrawGeneration());
    far_.session->OnConnected(now_);
    while (Carry() + Answer() > 0) {
    }
  }

  int Carry() { return internal::Carry(2, &wires_, &far_); }
  // The other end is heard, but the input is not drained yet.
  int Hear() {
    const std::vector<std::string> frames = far_.Speak();
    for (const std::string& bytes : frames) {
      ReceivedFrame frame;
      frame.slice = MakeSlice(bytes);
      EXPECT_EQ(delivery_.OnFrame(std::move(frame)), FrameVerdict::kAccepted);
    }
    return static_cast<int>(frames.size());
  }
  int Answer() {
    const int frames = Hear();
    delivery_.OnDrained();
    return frames;
  }

  // Until the other end asks for an acknowledgement.
  void HearUntilBusy() {
    for (int i = 0; i < kEagerFrames; ++i) {
      ASSERT_EQ(far_.Append("x"), SendOutcome::kAccepted);
      Hear();
    }
  }
  std::uint64_t Refused(RefusalReason reason) const {
    return rejections_.counts()[static_cast<std::size_t>(reason)];
  }

  absl::Time now_ = absl::UnixEpoch();
  Wires wires_;
  Inbox inbox_{1, 1 << 20, 1 << 20};
  Callbacks callbacks_{&inbox_};
  Rejections rejections_{[](PeerEvent) {}, [](int) { return true; }};
  MessageIds message_ids_{0};
  ReliableDelivery delivery_{
      TestConfig(),
      {1, TestSessionConfig(1, 2).codec, TestSessionConfig(1, 2).buffers,
       &message_ids_, &wires_, &inbox_, &callbacks_, &rejections_}};
  SessionEnd far_{TestSessionConfig(2, 1), &now_};
};

TEST_F(ReliableDeliveryTest, AcknowledgesAsSoonAsTheInputIsDrained) {
  for (int round = 0; round < 3; ++round) {
    HearUntilBusy();
    EXPECT_TRUE(wires_.sent[2].empty());
    delivery_.OnDrained();
    EXPECT_EQ(wires_.sent[2].size(), 1u);
    Carry();
    EXPECT_TRUE(far_.session->AllReceived());
    delivery_.OnDrained();
    EXPECT_TRUE(wires_.sent[2].empty());
  }
}

TEST_F(ReliableDeliveryTest, FramesOfWhoIsNoMemberAreCounted) {
  delivery_.Remove(2);
  wires_.Take(2);
  ASSERT_EQ(far_.Append("x"), SendOutcome::kAccepted);
  EXPECT_EQ(Hear(), 1);
  EXPECT_EQ(Refused(RefusalReason::kUnknownSender), 1u);
  delivery_.OnDrained();
  EXPECT_TRUE(wires_.sent[2].empty());
}

}  // namespace
}  // namespace cluster::internal
