// Frames on their way from the transport to a session.

#include "cluster/server/reliable_delivery.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cluster/codec/registry.h"
#include "cluster/server/application_watch.h"
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
  std::vector<PeerEvent> events_;  // of refusals that belong to no session
  Rejections rejections_{
      [this](PeerEvent event) { events_.push_back(std::move(event)); },
      [](int id) { return id == 2; }};
  MessageIds message_ids_{0};
  ApplicationWatch application_{absl::ZeroDuration()};
  ReliableDelivery delivery_{
      TestConfig(),
      {1, TestSessionConfig(1, 2).codec, TestSessionConfig(1, 2).buffers,
       &message_ids_, &wires_, &inbox_, &callbacks_, &rejections_,
       &application_}};
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

class Source final : public FrameSource {
 public:
  std::string Text() const override { return "10.0.0.9:4"; }
};

// A hello that no member says.
ReceivedFrame StrangeHello(int sender, int destination,
                           const std::string& cluster,
                           const FrameSource* source) {
  SessionConfig config = TestSessionConfig(sender, destination);
  config.cluster = cluster;
  config.address = absl::StrCat("n", sender, ":1");
  const absl::Time now = absl::UnixEpoch();
  SessionEnd stranger(config, &now);
  stranger.session->OnConnected(now);
  ReceivedFrame frame;
  frame.slice = MakeSlice(stranger.Speak().at(0));
  frame.source = source;
  return frame;
}

TEST_F(ReliableDeliveryTest, AStrangerIsToldAndNothingIsSentOrDialled) {
  const std::size_t dialled = wires_.dialled.size();
  wires_.sent.clear();
  const Source source;
  for (int id = 1000; id < 11000; ++id) {
    EXPECT_EQ(delivery_.OnFrame(StrangeHello(id, 1, "test", &source)),
              FrameVerdict::kAccepted);
    delivery_.OnDrained();
  }
  EXPECT_EQ(wires_.dialled.size(), dialled);
  EXPECT_TRUE(wires_.sent.empty());
  EXPECT_EQ(Refused(RefusalReason::kUnknownSender), 10000u);
  ASSERT_EQ(events_.size(), Rejections::kStrangersKept);
  EXPECT_EQ(events_[0].type, PeerEvent::kStranger);
  EXPECT_EQ(events_[0].peer, 1000);
  EXPECT_EQ(events_[0].stranger.address, "n1000:1");
  EXPECT_EQ(events_[0].stranger.source, "10.0.0.9:4");
}

TEST_F(ReliableDeliveryTest, WhoLooksForAnotherClusterOrServerIsNoStranger) {
  const Source source;
  delivery_.OnFrame(StrangeHello(7, 1, "other", &source));
  delivery_.OnFrame(StrangeHello(7, 5, "test", &source));
  // The address of server 5 in the own config leads back here, say.
  delivery_.OnFrame(StrangeHello(1, 5, "test", &source));
  ASSERT_EQ(events_.size(), 3u);
  for (const PeerEvent& event : events_)
    EXPECT_EQ(event.type, PeerEvent::kRejected);
  EXPECT_EQ(
      events_[0].reason,
      "wrong cluster: server 7, which is no member here, is of \"other\", "
      "and this server of \"test\" (from 10.0.0.9:4)");
  EXPECT_EQ(
      events_[1].reason,
      "wrong destination: server 7, which is no member here, wants server "
      "5: its address of that server leads here (from 10.0.0.9:4)");
  EXPECT_EQ(events_[2].reason,
            "unknown sender: server 1 is this server: either its address of "
            "server 5 leads back here, or another process has its id (from "
            "10.0.0.9:4)");
}

TEST_F(ReliableDeliveryTest, BytesThatAreNoFrameAreExplained) {
  const Source source;
  const auto hear = [&](const std::string& bytes) {
    ReceivedFrame frame;
    frame.slice = MakeSlice(bytes);
    frame.source = &source;
    EXPECT_EQ(delivery_.OnFrame(std::move(frame)), FrameVerdict::kMalformed);
  };
  Envelope envelope;
  envelope.sender_id = 2;
  std::string message;
  (*FindCodec("json"))->EncodeStandalone(envelope, &message);
  hear(message);
  hear("GET / HTTP/1.1");
  ASSERT_EQ(events_.size(), 2u);
  EXPECT_EQ(events_[0].peer, 2);
  EXPECT_EQ(
      events_[0].reason,
      "wrong delivery: server 2 has \"delivery\": \"best_effort\", server 1 "
      "\"reliable\" (from 10.0.0.9:4)");
  EXPECT_EQ(events_[1].reason,
            "malformed: 14 bytes that are no frame of this library: its length "
            "is wrong (from 10.0.0.9:4)");
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
