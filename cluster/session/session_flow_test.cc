// How envelopes flow between two sessions in one session: order, batching,
// windows, chunks, lanes and overflow.

#include <string>
#include <vector>

#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using Strings = std::vector<std::string>;

int Records(const std::string& frame) {
  return static_cast<int>(HeaderOf(frame).records);
}

TEST(SessionFlow, FieldsArriveIntact) {
  SessionPair pair;
  pair.Connect();
  Envelope sent;
  sent.message_id = {1001, 5};
  sent.pid = kBroadcast;
  sent.msg_type = MsgType::kRequestVoteRequest;
  sent.sender_id = 1;
  sent.term = 1u << 30;
  sent.voted = true;
  sent.payload = std::string("\0\xff payload", 10);
  sent.lane = Lane::kUrgent;
  sent.group = 1u << 20;
  sent.correlation = 77;
  ASSERT_EQ(pair.one.Append(sent), SendOutcome::kAccepted);
  pair.Exchange();
  ASSERT_EQ(pair.two.taken.size(), 1u);
  EXPECT_EQ(pair.two.taken[0], sent);
}

Envelope Grouped(const std::string& payload) {
  Envelope envelope;
  envelope.message_id = {1001, 1000};
  envelope.pid = 2;
  envelope.sender_id = 1;
  envelope.payload = payload;
  envelope.correlation = 5;
  return envelope;
}

// However they get to the peer's queue; before there is a session nobody knows
// what the peer understands.
TEST(SessionFlow, WhatAPeerDoesNotUnderstandIsDroppedAndCounted) {
  for (const bool before_the_session : {true, false}) {
    SessionPair pair;
    pair.two.config.features = 0;
    pair.two.Restart(2002);
    if (!before_the_session) pair.Connect();
    const auto append = [&](const Envelope& envelope) {
      ASSERT_EQ(pair.one.Append(envelope), SendOutcome::kAccepted);
    };
    pair.one.Append("a");
    append(Grouped("x"));
    pair.one.Append("b");
    OpenBatch shared(pair.one.config, Lane::kNormal);
    for (const bool grouped : {true, false}) {
      Envelope envelope = Grouped(grouped ? "x" : "c");
      if (!grouped) envelope.correlation = 0;
      shared.Append(envelope, pair.one.config.codec->RecordBytesMax(envelope));
    }
    const EncodeState encode = shared.encode();
    Batch closed = shared.Release();
    Sum(&closed);
    closed.shared = true;
    pair.one.queue->AppendShared(closed, encode);
    append(Grouped(std::string(20000, 'l')));
    pair.one.Append("d");
    if (before_the_session) pair.Connect();
    pair.Advance(absl::Seconds(1));
    EXPECT_EQ(pair.two.Payloads(), (Strings{"a", "b", "c", "d"}));
    EXPECT_EQ(pair.one.Stats().Dropped(DropReason::kUnsupported), 3u);
    EXPECT_EQ(pair.one.Stats().acknowledged, 4u);
    EXPECT_TRUE(AddsUp(pair.one.Stats()));
    EXPECT_TRUE(pair.one.session->Drained());
  }
}

// Envelopes to a first life of the peer go to the next one, which may be an older
// program.
TEST(SessionFlow, WhatTheNextLifeDoesNotUnderstandIsNotSentToIt) {
  SessionPair pair;
  pair.two.consumes = false;
  pair.Connect();
  pair.one.Append("a");
  ASSERT_EQ(pair.one.Append(Grouped("x")), SendOutcome::kAccepted);
  ASSERT_EQ(pair.one.Append(Grouped(std::string(5000, 'l'))),
            SendOutcome::kAccepted);
  pair.Advance(absl::Seconds(1));
  ASSERT_EQ(pair.one.Stats().in_flight, 3u);
  pair.two.config.features = 0;
  pair.two.consumes = true;
  pair.Reborn(&pair.two, 2002);
  pair.Advance(absl::Seconds(1));
  EXPECT_EQ(pair.two.Payloads(), Strings{"a"});
  EXPECT_EQ(pair.one.Stats().Dropped(DropReason::kUnsupported), 2u);
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
}

TEST(SessionFlow, WhatIsAcceptedBeforeThereIsASessionArrives) {
  SessionPair pair;
  ASSERT_EQ(pair.one.Append("early"), SendOutcome::kAccepted);
  EXPECT_EQ(pair.one.Stats().queued, 1u);
  pair.Connect();
  EXPECT_EQ(pair.two.Payloads(), Strings{"early"});
}

TEST(SessionFlow, LanesAreFifo) {
  SessionPair pair;
  pair.Connect();
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(pair.one.Append(std::to_string(i), static_cast<Lane>(i % 3)),
              SendOutcome::kAccepted);
    if (i % 7 == 0) pair.Exchange();
    ASSERT_TRUE(AddsUp(pair.one.Stats()));
  }
  pair.Advance(absl::Seconds(1));
  ASSERT_EQ(pair.two.taken.size(), 300u);
  int next[kLanes] = {0, 1, 2};
  for (const Envelope& envelope : pair.two.taken) {
    int& expected = next[static_cast<int>(envelope.lane)];
    EXPECT_EQ(envelope.payload, std::to_string(expected));
    expected += 3;
  }
  EXPECT_TRUE(pair.one.session->Drained());
  EXPECT_EQ(pair.one.Stats().acknowledged, 300u);
}

// The first frames of an idle lane leave at once; behind them envelopes gather
// until an acknowledgement comes or a frame is full.
TEST(SessionFlow, EnvelopesGatherWhileFramesAreOnTheirWay) {
  SessionPair pair;
  pair.Connect();
  Strings on_the_way;
  for (int i = 0; i < kEagerFrames; ++i) {
    pair.one.Append("eager");
    const Strings frames = pair.one.Speak();
    ASSERT_EQ(frames.size(), 1u);
    on_the_way.push_back(frames[0]);
  }
  // The last eager frame asks for the acknowledgement that the others wait for.
  EXPECT_NE(HeaderOf(on_the_way.back()).flags & kAckRequest, 0);
  for (int i = 0; i < 10; ++i) {
    pair.one.Append("gathers");
    EXPECT_FALSE(pair.one.wanted);
  }
  EXPECT_TRUE(pair.one.Speak().empty());
  // Another lane is eager by itself.
  pair.one.Append("urgent", Lane::kUrgent);
  EXPECT_EQ(pair.one.Speak().size(), 1u);

  for (const std::string& frame : on_the_way) pair.two.Hear(frame);
  for (const std::string& frame : pair.two.Speak()) pair.one.Hear(frame);
  const Strings frames = pair.one.Speak();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(Records(frames[0]), 10);

  // The lane is busy, and nothing small follows what had gathered.
  EXPECT_NE(HeaderOf(frames[0]).flags & kAckRequest, 0);
  pair.one.Append("small");
  EXPECT_TRUE(pair.one.Speak().empty());
  pair.two.Hear(frames[0]);
  pair.Exchange();
  EXPECT_EQ(pair.two.Payloads().back(), "small");
}

TEST(SessionFlow, AFullFrameLeavesWithoutAnAcknowledgement) {
  SessionPair pair;
  pair.Connect();
  int frames = 0;
  for (int i = 0; i < 40; ++i) {
    pair.one.Append(std::string(90, 'x'));
    frames += static_cast<int>(pair.one.Speak().size());
  }
  EXPECT_GT(frames, kEagerFrames);
  EXPECT_LT(frames, 10);  // ten envelopes a frame
}

TEST(SessionFlow, BytesOnTheWayAreBounded) {
  SessionPair pair;
  pair.Connect();
  for (int i = 0; i < 400; ++i) pair.one.Append(std::string(90, 'x'));
  std::size_t bytes = 0;
  for (const std::string& frame : pair.one.Speak())
    bytes += FrameCharge(frame.size() - kFrameHeaderBytes);
  EXPECT_LE(bytes, pair.one.config.inflight_bytes / 2);
  EXPECT_GT(bytes, pair.one.config.inflight_bytes / 4);
}

TEST(SessionFlow, FourOfTheLargestFramesMayBeOnTheirWay) {
  SessionPair pair;
  pair.Connect();
  const std::size_t chunk =
      ChunkBytes(pair.one.config.frame_bytes, pair.one.config.inflight_bytes);
  ASSERT_EQ(pair.one.Append(std::string(5 * chunk, 'x')),
            SendOutcome::kAccepted);
  EXPECT_EQ(pair.one.Speak().size(), 4u);
}

// Urgent envelopes wait for them.
TEST(SessionFlow, OfBulkLittleMayBeOnItsWay) {
  const Config defaults;
  for (const SessionLimits& limits :
       {SessionLimits(TestSessionConfig(1, 2)), SessionLimits(defaults)}) {
    SessionPair pair([&](SessionConfig* config) {
      static_cast<SessionLimits&>(*config) = limits;
    });
    pair.Connect();
    ASSERT_EQ(pair.one.Append(std::string(limits.queue_bytes_max / 2, 'x'),
                              Lane::kBulk),
              SendOutcome::kAccepted);
    std::size_t bytes = 0;
    const Strings frames = pair.one.Speak();
    for (const std::string& frame : frames) bytes += frame.size();
    EXPECT_GE(frames.size(), 2u);
    EXPECT_LE(bytes,
              std::max(limits.inflight_bytes / 8, 2 * limits.frame_bytes * 2));
  }
}

TEST(SessionFlow, TheWindowStopsTheSenderUntilItIsConsumed) {
  SessionPair pair;
  pair.two.consumes = false;
  pair.Connect();
  while (pair.one.Append(std::string(90, 'x')) == SendOutcome::kAccepted) {
  }
  pair.Advance(absl::Seconds(1));
  const PeerStats full = pair.one.Stats();
  EXPECT_LE(full.unconsumed_bytes, pair.two.config.window_bytes);
  EXPECT_GT(full.unconsumed_bytes, pair.two.config.window_bytes / 2);
  EXPECT_GT(full.queued, 0u);
  EXPECT_EQ(full.acknowledged, 0u);
  EXPECT_EQ(full.frames_retransmitted, 0u);  // received, only not consumed

  // Nothing new is sent, for as long as nothing is consumed.
  pair.Advance(absl::Seconds(1));
  EXPECT_EQ(pair.one.Stats().in_flight, full.in_flight);

  pair.two.consumes = true;
  pair.two.Consume();
  pair.Advance(absl::Seconds(2));
  EXPECT_TRUE(pair.one.session->Drained());
  EXPECT_EQ(pair.two.taken.size(), pair.one.Stats().accepted);
}

TEST(SessionFlow, CreditIsKeptForMoreUrgentEnvelopes) {
  SessionPair pair(
      [](SessionConfig* config) { config->queue_bytes_max = 1 << 20; });
  pair.two.consumes = false;
  pair.Connect();
  const std::size_t window = pair.two.config.window_bytes;
  struct Share {
    Lane lane;
    std::size_t bytes;
  };
  for (const Share& share : {Share{Lane::kBulk, window - window / 8},
                             Share{Lane::kNormal, window - window / 32},
                             Share{Lane::kUrgent, window}}) {
    const std::size_t before = pair.one.Stats().unconsumed_bytes;
    for (int i = 0; i < 1000; ++i)
      ASSERT_EQ(pair.one.Append(std::string(90, 'x'), share.lane),
                SendOutcome::kAccepted);
    pair.Advance(absl::Seconds(1));
    EXPECT_LE(pair.one.Stats().unconsumed_bytes, share.bytes);
    EXPECT_GT(pair.one.Stats().unconsumed_bytes, before);
  }
}

TEST(SessionFlow, APayloadLargerThanTheWindowArrives) {
  SessionPair pair;
  pair.Connect();
  std::string large;
  for (int i = 0; large.size() < 5 * pair.one.config.window_bytes; ++i)
    large += std::to_string(i);
  for (Lane lane : {Lane::kUrgent, Lane::kNormal, Lane::kBulk}) {
    ASSERT_EQ(pair.one.Append("before", lane), SendOutcome::kAccepted);
    pair.Exchange();
    ASSERT_EQ(pair.one.Append(large, lane), SendOutcome::kAccepted);
    pair.Exchange();
    pair.Advance(absl::Seconds(1));
    ASSERT_EQ(pair.one.Append("after", lane), SendOutcome::kAccepted);
    pair.Exchange();
  }
  EXPECT_EQ(pair.two.Payloads(),
            (Strings{"before", large, "after", "before", large, "after",
                     "before", large, "after"}));
  EXPECT_EQ(pair.two.Stats().received, 9u);
  pair.Advance(absl::Milliseconds(100));
  EXPECT_TRUE(pair.one.session->Drained());
}

TEST(SessionFlow, PayloadsOfEverySizeAroundTheLimitsArrive) {
  SessionPair pair;
  pair.Connect();
  Strings sent;
  const std::size_t frame = pair.one.config.frame_bytes;
  const std::size_t chunk = ChunkBytes(frame, pair.one.config.inflight_bytes);
  for (std::size_t around : {frame, chunk, 2 * chunk}) {
    for (std::size_t bytes = around - 60; bytes < around + 10; ++bytes) {
      sent.emplace_back(bytes, static_cast<char>(bytes));
      ASSERT_EQ(pair.one.Append(sent.back()), SendOutcome::kAccepted);
      pair.Exchange();
    }
    pair.Advance(absl::Milliseconds(100));
  }
  EXPECT_EQ(pair.two.Payloads(), sent);
}

// An urgent envelope waits for at most what is with the transport already:
// half of inflight_bytes, and not the bulk behind it.
TEST(SessionFlow, UrgentOvertakesBulk) {
  SessionPair pair(
      [](SessionConfig* config) { config->queue_bytes_max = 1 << 20; });
  pair.Connect();
  ASSERT_EQ(pair.one.Append(std::string(200 << 10, 'b'), Lane::kBulk),
            SendOutcome::kAccepted);
  const Strings ahead = pair.one.Speak();
  std::size_t bytes_ahead = 0;
  for (const std::string& frame : ahead)
    bytes_ahead += FrameCharge(frame.size() - kFrameHeaderBytes);
  EXPECT_LE(bytes_ahead, pair.one.config.inflight_bytes / 2);
  ASSERT_EQ(pair.one.Append("urgent", Lane::kUrgent), SendOutcome::kAccepted);
  const Strings next = pair.one.Speak();
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(HeaderOf(next[0]).lane, Lane::kUrgent);
  for (const std::string& frame : ahead) pair.two.Hear(frame);
  pair.two.Hear(next[0]);
  EXPECT_EQ(pair.two.Payloads(), Strings{"urgent"});
  pair.Advance(absl::Seconds(1));
  EXPECT_EQ(pair.two.taken.size(), 2u);
}

TEST(SessionFlow, DropOldestKeepsTheNewestAndCounts) {
  SessionPair pair([](SessionConfig* config) {
    config->overflow = Overflow::kDropOldest;
    config->queue_bytes_max = 8 << 10;
  });
  for (int i = 0; i < 1000; ++i)
    ASSERT_EQ(pair.one.Append(std::to_string(i) + std::string(90, 'x')),
              SendOutcome::kAccepted);
  const std::uint64_t dropped = pair.one.Stats().Dropped(DropReason::kOverflow);
  EXPECT_GT(dropped, 800u);
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
  EXPECT_LE(pair.one.Stats().queued_bytes, 8u << 10);
  pair.Connect();
  pair.Advance(absl::Seconds(1));
  ASSERT_EQ(pair.two.taken.size(), 1000 - dropped);
  EXPECT_EQ(pair.two.taken.front().payload,
            std::to_string(dropped) + std::string(90, 'x'));
}

TEST(SessionFlow, WhatThePeerDoesNotTakeIsDroppedAndTheRestGoesOn) {
  SessionPair pair;
  pair.two.config.payload_bytes_max = 1 << 10;
  pair.two.Restart(2002);
  // Accepted before the peer has said how much it takes.
  ASSERT_EQ(pair.one.Append(std::string(50 << 10, 'x')),
            SendOutcome::kAccepted);
  // Of no more than a frame, and one of them in a batch with others.
  const std::string more((1 << 10) + 1, 'y');
  ASSERT_EQ(pair.one.Append(more), SendOutcome::kAccepted);
  ASSERT_EQ(pair.one.Append(more), SendOutcome::kAccepted);
  ASSERT_EQ(pair.one.Append("small"), SendOutcome::kAccepted);
  pair.one.session->OnConnected(pair.now);
  pair.two.session->OnConnected(pair.now);
  for (const std::string& frame : pair.two.Speak()) pair.one.Hear(frame);
  for (const std::string& frame : pair.one.Speak(1)) pair.two.Hear(frame);
  for (const std::string& frame : pair.two.Speak()) pair.one.Hear(frame);
  ASSERT_TRUE(pair.one.session->up());
  EXPECT_EQ(pair.one.Append(std::string(2 << 10, 'x')), SendOutcome::kTooLarge);
  // The record behind it leaves at once, in the very next frame.
  const Strings frames = pair.one.Speak(1);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(HeaderOf(frames[0]).kind, FrameKind::kData);
  pair.two.Hear(frames[0]);
  EXPECT_EQ(pair.two.Payloads(), Strings{"small"});
  EXPECT_EQ(pair.one.Stats().Dropped(DropReason::kTooLarge), 3u);
  EXPECT_EQ(pair.one.Events(), "up");
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
}

TEST(SessionFlow, ConsumptionIsToldSoonWhenAsked) {
  SessionPair pair;
  pair.two.consumes = false;
  pair.Connect();
  pair.one.Append("x");
  pair.Exchange();
  pair.one.session->RequestConsumed();
  EXPECT_FALSE(pair.one.Speak(1).empty());
  pair.one.session->RequestConsumed();  // the first one is lost
  pair.Exchange();
  pair.two.Consume();
  pair.Exchange();  // no time passes
  EXPECT_TRUE(pair.one.session->Drained());
}

TEST(SessionFlow, ConsumptionOfWhatIsQueuedIsToldSoonToo) {
  SessionPair pair;
  pair.Connect();
  for (const char* text : {"1", "2", "3"}) pair.one.Append(text);
  const Strings first = pair.one.Speak();
  pair.one.Append("4");
  pair.one.session->RequestConsumed();
  const Strings request = pair.one.Speak();
  EXPECT_EQ(pair.one.Stats().queued, 1u);
  for (const std::string& frame : first) pair.two.Hear(frame);
  for (const std::string& frame : request) pair.two.Hear(frame);
  for (const std::string& frame : pair.two.Speak()) pair.one.Hear(frame);
  EXPECT_EQ(pair.one.Stats().acknowledged, 3u);
  pair.two.consumes = false;
  pair.Exchange();
  EXPECT_EQ(pair.one.Stats().queued, 0u);
  pair.two.Consume();
  pair.Exchange();  // no time passes
  EXPECT_TRUE(pair.one.session->Drained());
}

TEST(SessionFlow, AbandonCountsAndReturnsWhatHadBeenTransmitted) {
  SessionPair pair;
  pair.Connect();
  for (int i = 0; i < 20; ++i) {
    pair.one.Append("x");
    pair.one.Speak();
  }
  const std::uint64_t transmitted = pair.one.Stats().in_flight;
  EXPECT_GT(transmitted, 0u);
  EXPECT_GT(pair.one.Stats().queued, 0u);
  EXPECT_EQ(pair.one.session->Abandon(DropReason::kStopped), transmitted);
  EXPECT_EQ(pair.one.Stats().Dropped(DropReason::kStopped), 20u);
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
  EXPECT_TRUE(pair.one.session->Drained());
}

}  // namespace
}  // namespace cluster::internal
