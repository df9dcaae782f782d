// What becomes of frames on their way from the transport to a peer.

#include "cluster/server/frame_router.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "cluster/server/testing/wires.h"
#include "cluster/session/testing/link_pair.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

// Server 1 with the peer 2, whose frames the test carries.
class FrameRouterTest : public testing::Test {
 protected:
  void SetUp() override {
    auto peer = std::make_unique<ReliablePeer>(
        TestLinkConfig(1, 2), &wires_, &inbox_, &callbacks_, &rejections_);
    near_ = peer.get();
    peers_.Insert(std::move(peer));
    router_.OnConnected(2, Generations().Draw());
    far_.link->OnConnected(now_);
    while (Carry() + Answer() > 0) {
    }
  }

  int Carry() { return cluster::Carry(2, &wires_, &far_); }
  // The other end is heard, but the input is not drained yet.
  int Hear() {
    const std::vector<std::string> frames = far_.Speak();
    for (const std::string& bytes : frames) {
      ReceivedFrame frame;
      frame.slice = MakeSlice(bytes);
      EXPECT_EQ(router_.OnFrame(std::move(frame)), FrameVerdict::kAccepted);
    }
    return static_cast<int>(frames.size());
  }
  int Answer() {
    const int frames = Hear();
    router_.OnDrained();
    return frames;
  }

  // Until the other end asks for an acknowledgement.
  void HearUntilBusy() {
    for (int i = 0; i < kEagerFrames; ++i) {
      ASSERT_EQ(far_.Append("x"), AppendResult::kAccepted);
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
  PeerTable<Peer> peers_;
  FrameRouter router_{1,
                      Delivery::kReliable,
                      /*secured=*/false,
                      TestLinkConfig(1, 2).codec,
                      [] { return MessageId(); },
                      &peers_,
                      nullptr,
                      &inbox_,
                      &callbacks_,
                      &rejections_};
  LinkEnd far_{TestLinkConfig(2, 1), &now_};
  ReliablePeer* near_ = nullptr;
};

TEST_F(FrameRouterTest, AcknowledgesAsSoonAsTheInputIsDrained) {
  for (int round = 0; round < 3; ++round) {
    HearUntilBusy();
    EXPECT_TRUE(wires_.sent[2].empty());
    router_.OnDrained();
    EXPECT_EQ(wires_.sent[2].size(), 1u);
    Carry();
    EXPECT_TRUE(far_.link->AllReceived());
    router_.OnDrained();
    EXPECT_TRUE(wires_.sent[2].empty());
  }
}

TEST_F(FrameRouterTest, FramesOfWhoIsNoMemberAreCounted) {
  near_->Remove();
  wires_.Take(2);
  ASSERT_EQ(far_.Append("x"), AppendResult::kAccepted);
  EXPECT_EQ(Hear(), 1);
  EXPECT_EQ(Refused(RefusalReason::kUnknownSender), 1u);
  router_.OnDrained();
  EXPECT_TRUE(wires_.sent[2].empty());
}

}  // namespace
}  // namespace cluster
