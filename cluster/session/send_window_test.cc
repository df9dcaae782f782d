#include "cluster/session/send_window.h"

#include <cstring>
#include <memory>
#include <string>

#include "cluster/session/session_config.h"
#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

constexpr std::size_t kBody = 100;

SendWindow::Sent SomeFrame(Lane lane = Lane::kNormal,
                           std::uint32_t envelopes = 1) {
  SendWindow::Sent sent;
  sent.batch = NewBatch(TestBuffers(), lane, kBody);
  std::memset(sent.batch.header(), 'h', kFrameHeaderBytes);
  std::memset(sent.batch.body_begin(), 'b', kBody);
  sent.batch.body_bytes = sent.body_bytes = kBody;
  sent.batch.records = sent.envelopes = envelopes;
  return sent;
}

TEST(SendWindow, CountsWhatIsInFlightAndUnconsumed) {
  SendWindow window;
  EXPECT_TRUE(window.empty());
  window.Add(SomeFrame());
  window.Add(SomeFrame(Lane::kUrgent, 3));
  EXPECT_EQ(window.inflight_bytes(), 2 * FrameCharge(kBody));
  EXPECT_EQ(window.inflight_frames(Lane::kNormal), 1);
  EXPECT_EQ(window.inflight_frames(Lane::kUrgent), 1);
  EXPECT_EQ(window.envelopes(), 4u);

  EXPECT_EQ(window.Acknowledge(1, 0), AckResult::kProgress);
  EXPECT_EQ(window.inflight_bytes(), FrameCharge(kBody));
  EXPECT_EQ(window.inflight_frames(Lane::kNormal), 0);
  EXPECT_EQ(window.unconsumed_bytes(), 2 * FrameCharge(kBody));
  EXPECT_EQ(window.acknowledged_envelopes(), 0u);

  EXPECT_EQ(window.Acknowledge(2, 2), AckResult::kProgress);
  EXPECT_FALSE(window.inflight());
  EXPECT_TRUE(window.empty());
  EXPECT_EQ(window.unconsumed_bytes(), 0u);
  EXPECT_EQ(window.acknowledged_envelopes(), 4u);
}

TEST(SendWindow, OldAcknowledgementsSayNothing) {
  SendWindow window;
  for (int i = 0; i < 3; ++i) window.Add(SomeFrame());
  EXPECT_EQ(window.Acknowledge(3, 2), AckResult::kProgress);
  EXPECT_EQ(window.Acknowledge(1, 0), AckResult::kNothingNew);
  EXPECT_EQ(window.received_through(), 3u);
  EXPECT_EQ(window.unconsumed_bytes(), FrameCharge(kBody));
}

TEST(SendWindow, ImpossibleAcknowledgementsAreRefused) {
  SendWindow window;
  EXPECT_EQ(window.Acknowledge(1, 0), AckResult::kImpossible);
  window.Add(SomeFrame());
  EXPECT_EQ(window.Acknowledge(2, 0), AckResult::kImpossible);
  EXPECT_EQ(window.Acknowledge(0, 1), AckResult::kImpossible);
  EXPECT_EQ(window.inflight_bytes(), FrameCharge(kBody));
}

TEST(SendWindow, RewindGoesBackToWhatWasNotReceived) {
  SendWindow window;
  for (int i = 0; i < 3; ++i) window.Add(SomeFrame());
  window.Acknowledge(1, 0);
  EXPECT_EQ(window.Rewound(), nullptr);
  window.Rewind();
  EXPECT_FALSE(window.inflight());
  EXPECT_EQ(window.inflight_bytes(), 0u);
  ASSERT_EQ(window.Rewound(), &window.At(2));
  EXPECT_TRUE(window.MarkTransmitted());
  ASSERT_EQ(window.Rewound(), &window.At(3));
  // The first transmission arrived after all.
  EXPECT_EQ(window.Acknowledge(3, 0), AckResult::kProgress);
  EXPECT_EQ(window.Rewound(), nullptr);
  EXPECT_EQ(window.inflight_bytes(), 0u);
  EXPECT_EQ(window.inflight_frames(Lane::kNormal), 0);
  window.Add(SomeFrame());
  EXPECT_EQ(window.last_transmitted(), 4u);
}

TEST(SendWindow, WhatWasNotTakenIsToBeTransmittedAgain) {
  SendWindow window;
  window.Add(SomeFrame());
  EXPECT_FALSE(window.UndoLast());
  EXPECT_FALSE(window.inflight());
  EXPECT_FALSE(window.all_received());
  EXPECT_EQ(window.envelopes(), 0u);
  EXPECT_EQ(window.untaken_envelopes(), 1u);
  EXPECT_EQ(window.Rewound(), &window.At(1));
  EXPECT_EQ(window.unconsumed_bytes(), FrameCharge(kBody));
  // Not taken, it was not transmitted, so this is no retransmission.
  EXPECT_FALSE(window.MarkTransmitted());
  EXPECT_EQ(window.envelopes(), 1u);
  EXPECT_EQ(window.untaken_envelopes(), 0u);
  window.Rewind();
  EXPECT_TRUE(window.MarkTransmitted());
  EXPECT_TRUE(window.UndoLast());
  EXPECT_EQ(window.envelopes(), 1u);
}

TEST(SendWindow, ResetReturnsWhatWasNotConsumed) {
  SendWindow window;
  for (int i = 0; i < 3; ++i) window.Add(SomeFrame());
  window.Acknowledge(2, 1);
  EXPECT_EQ(window.Reset().size(), 2u);
  EXPECT_TRUE(window.empty());
  EXPECT_EQ(window.NextSequence(), 1u);
  EXPECT_EQ(window.acknowledged_envelopes(), 1u);
}

TEST(SendWindow, AFrameIsHeaderAndBody) {
  const SendWindow::Sent sent = SomeFrame();
  Frame frame;
  SendWindow::FillFrame(sent, &frame);
  ASSERT_EQ(frame.slices.size(), 1u);
  EXPECT_EQ(std::string(frame.slices[0].bytes),
            std::string(kFrameHeaderBytes, 'h') + std::string(kBody, 'b'));

  std::shared_ptr<char> header = TestBuffers()->Lend(kFrameHeaderBytes);
  std::memset(header.get(), 'g', kFrameHeaderBytes);
  Frame again;
  SendWindow::FillFrame(sent, header, &again);
  ASSERT_EQ(again.slices.size(), 2u);
  EXPECT_EQ(again.slices[0].bytes, std::string(kFrameHeaderBytes, 'g'));
  EXPECT_EQ(again.slices[1].bytes, std::string(kBody, 'b'));
}

}  // namespace
}  // namespace cluster::internal
