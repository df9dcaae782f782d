// Envelopes to a peer without a session, over a transport that the test holds.

#include "cluster/server/best_effort.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/codec/hello.h"
#include "cluster/codec/json/json.h"
#include "cluster/codec/registry.h"
#include "cluster/server/testing/wires.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

class BestEffortPeerTest : public testing::Test {
 protected:
  void SetUp() override {
    inbox_.SetEventTaker(Inbox::EventTaker::kReporter);
    peer_.Join(2, PeerStats());
    ASSERT_TRUE(peer_.Connect("wires").ok());
  }

  SendOutcome Offer(const std::string& payload) {
    Envelope envelope;
    envelope.pid = 2;
    envelope.payload = payload;
    return peer_.Send(2, EnvelopeView(envelope));
  }

  static constexpr std::size_t kPayloadBytesMax = 1000;
  static constexpr std::size_t kFrameBytesMax = 1200;

  Wires wires_;
  Inbox inbox_{1, 1 << 20, 1 << 20};
  BestEffortPeer peer_{*FindCodec("json"), kPayloadBytesMax, kFrameBytesMax,
                       absl::Seconds(5),   &wires_,          &inbox_};
};

// JSON says control characters in base64, four bytes for three.
TEST_F(BestEffortPeerTest, WhatIsTooLargeOnceEncodedIsRefused) {
  EXPECT_EQ(Offer(std::string(kPayloadBytesMax, '\x01')),
            SendOutcome::kTooLarge);
  EXPECT_TRUE(wires_.Take(2).empty());
  EXPECT_EQ(peer_.Stats().accepted, 0u);
  EXPECT_EQ(Offer(std::string(kPayloadBytesMax, 'a')), SendOutcome::kAccepted);
  EXPECT_EQ(wires_.Take(2).size(), 1u);
}

TEST_F(BestEffortPeerTest, AnOverlongPayloadIsRefused) {
  EXPECT_EQ(Offer(std::string(kPayloadBytesMax + 1, 'a')),
            SendOutcome::kTooLarge);
}

TEST_F(BestEffortPeerTest, APeerThatNeverComesIsDownAfterAWhile) {
  const std::uint64_t generation = Peer::DrawGeneration();
  peer_.Tick(absl::UnixEpoch());
  peer_.OnDisconnected(2, generation, "connect to n2:1: refused");
  peer_.Tick(absl::UnixEpoch() + absl::Seconds(4));
  EXPECT_FALSE(inbox_.ReportEvent([](const PeerEvent&) {}));
  peer_.Tick(absl::UnixEpoch() + absl::Seconds(5));
  peer_.Tick(absl::UnixEpoch() + absl::Seconds(6));
  std::vector<PeerEvent> told;
  while (inbox_.ReportEvent(
      [&](const PeerEvent& event) { told.push_back(event); })) {
  }
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].type, PeerEvent::kDown);
  EXPECT_EQ(told[0].reason, "connect to n2:1: refused");
  EXPECT_NE(peer_.Stats().last_trouble, "");
  peer_.OnConnected(2, generation);
  EXPECT_EQ(peer_.Stats().last_trouble, "");
}

// It would never take what is sent to it.
TEST_F(BestEffortPeerTest, APeerOfTheOtherDeliveryIsRefusedAndDown) {
  const std::uint64_t generation = Peer::DrawGeneration();
  peer_.OnConnected(2, generation);
  EXPECT_TRUE(peer_.OnReliableHello(2, /*nonce=*/77, absl::UnixEpoch()));
  EXPECT_FALSE(peer_.Stats().up);
  const std::vector<Frame> sent = wires_.Take(2);
  ASSERT_EQ(sent.size(), 1u);
  FrameHeader header;
  absl::string_view body;
  Refusal refusal;
  const std::string bytes = BytesOf(sent[0]);
  ASSERT_EQ(DecodeFrame(bytes, &header, &body), FrameError::kNone);
  ASSERT_TRUE(DecodeRefusal(body, &refusal));
  EXPECT_EQ(refusal.echo_nonce, 77u);
  EXPECT_EQ(
      refusal.text,
      "server 1 has \"delivery\": \"best_effort\", server 2 \"reliable\"");
  // Not more than one a second.
  EXPECT_TRUE(peer_.OnReliableHello(2, 78, absl::UnixEpoch()));
  EXPECT_TRUE(wires_.Take(2).empty());

  EXPECT_EQ(Offer("lost"), SendOutcome::kAccepted);
  EXPECT_TRUE(wires_.Take(2).empty());
  EXPECT_EQ(peer_.Stats().acknowledged, 0u);
  EXPECT_EQ(peer_.Stats().Dropped(DropReason::kUnsupported), 1u);
  // It is mended.
  peer_.OnConnected(2, generation);
  EXPECT_TRUE(peer_.Stats().up);
  EXPECT_EQ(Offer("sent"), SendOutcome::kAccepted);
  EXPECT_EQ(wires_.Take(2).size(), 1u);
}

// Server 1 with the peer 2, as a config of the Go library makes it.
class GoDialectTest : public testing::Test {
 protected:
  explicit GoDialectTest(bool secured = false) : secured_(secured) {
    delivery_.Add(2, PeerStats());
  }

  static Config GoConfig() {
    Config config;
    config.codec = "json";
    config.delivery = Delivery::kBestEffort;
    config.json_dialect = JsonDialect::kGo;
    config.servers = {{1, "wires"}, {2, "wires"}};
    return config;
  }

  // The sender of the envelope that a message of this one becomes; -1: none.
  int SenderOf(int sender, absl::optional<int> identity) {
    ReceivedFrame frame;
    frame.identity = identity;
    frame.slice = MakeSlice(
        absl::StrCat(R"({"Pid":1,"SenderId":)", sender, R"(,"Msg":"x"})"));
    delivery_.OnFrame(std::move(frame));
    if (!inbox_.TryBeginReading()) return -1;
    const int read = inbox_.Next()->sender_id;
    inbox_.EndReading();
    return read;
  }

  const bool secured_;
  Wires wires_;
  Inbox inbox_{1, 1 << 20, 1 << 20};
  Callbacks callbacks_{&inbox_};
  Rejections rejections_{[](PeerEvent) {}, [](int) { return true; }, secured_};
  MessageIds message_ids_{0};
  BestEffortDelivery delivery_{GoConfig(),
                               {1, &GoJsonCodec(), nullptr, &message_ids_,
                                &wires_, &inbox_, &callbacks_, &rejections_}};
};

TEST_F(GoDialectTest, SenderZeroIsNobodyUnlessThereIsAServerZero) {
  EXPECT_EQ(SenderOf(2, absl::nullopt), 2);
  EXPECT_EQ(SenderOf(3, absl::nullopt), -1);
  EXPECT_EQ(SenderOf(0, absl::nullopt), 0);
  EXPECT_EQ(delivery_.Remove(2).received, 1u);
  delivery_.Add(0, PeerStats());
  EXPECT_EQ(SenderOf(0, absl::nullopt), 0);
  EXPECT_EQ(delivery_.Remove(0).received, 1u);
}

class SecuredGoDialectTest : public GoDialectTest {
 protected:
  SecuredGoDialectTest() : GoDialectTest(true) {}
};

TEST_F(SecuredGoDialectTest, SenderZeroIsTheServerThatTheConnectionProved) {
  EXPECT_EQ(SenderOf(0, 2), 2);
  EXPECT_EQ(SenderOf(0, 3), -1);
  EXPECT_EQ(SenderOf(0, absl::nullopt), -1);
  delivery_.Add(0, PeerStats());
  EXPECT_EQ(SenderOf(0, 2), -1);
  EXPECT_EQ(SenderOf(0, 0), 0);
  EXPECT_EQ(delivery_.Remove(2).received, 1u);
}

}  // namespace
}  // namespace cluster::internal
