// Envelopes to a peer without a session, over a transport that the test holds.

#include "cluster/server/best_effort.h"

#include <string>

#include "cluster/codec/registry.h"
#include "cluster/server/testing/wires.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

class BestEffortPeerTest : public testing::Test {
 protected:
  void SetUp() override {
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
                       &wires_, &inbox_};
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

}  // namespace
}  // namespace cluster::internal
