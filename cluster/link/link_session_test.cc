// Sessions of two links: restarts, replays, breaches of the protocol, and what
// becomes of what was on its way.

#include <string>
#include <utility>
#include <vector>

#include "cluster/link/link_pair.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

using Strings = std::vector<std::string>;

// Makes `end` a new process or, with its old incarnation, a new link of the
// same one; both find a session again.
void Reborn(LinkPair* pair, LinkEnd* end, std::uint64_t incarnation) {
  end->Restart(incarnation);
  end->link->OnConnected(pair->now);
  pair->Advance(absl::Milliseconds(200));
}

TEST(LinkSession, UpComesFirst) {
  LinkPair pair;
  pair.one.Append("x");
  pair.Connect();
  EXPECT_EQ(pair.one.Events(), "up");
  EXPECT_EQ(pair.two.Events(), "up");
  EXPECT_EQ(pair.one.Stats().sessions, 1u);
  EXPECT_EQ(pair.one.link->session(), pair.two.link->session());
}

// Three lanes, small and large, consumed in part, on their way and queued.
void SomeTraffic(LinkPair* pair, Strings* sent) {
  pair->two.consumes = false;
  for (int i = 0; i < 60; ++i) {
    sent->push_back(std::to_string(i) +
                    std::string(i % 10 == 9 ? 6000 : 50, 'x'));
    ASSERT_EQ(pair->one.Append(sent->back()), AppendResult::kAccepted);
    if (i == 10) {
      pair->Exchange();
      pair->two.Consume();
      pair->Advance(absl::Milliseconds(50));
    }
    if (i % 3 == 0) pair->one.Speak(1);  // lost
  }
}

TEST(LinkSession, ARestartedPeerGetsWhatIsNotKnownConsumedFirst) {
  LinkPair pair;
  pair.Connect();
  Strings sent;
  SomeTraffic(&pair, &sent);
  const PeerStats before = pair.one.Stats();
  ASSERT_GT(before.in_flight, 0u);
  ASSERT_GT(before.queued, 0u);
  ASSERT_GT(before.acknowledged, 0u);
  pair.one.events.clear();
  pair.two.consumes = true;
  Reborn(&pair, &pair.two, 2002);
  pair.Advance(absl::Seconds(1));

  EXPECT_EQ(pair.one.Events(), "down restarted up");
  EXPECT_EQ(pair.one.events[1].unknown_fate, before.in_flight);
  EXPECT_EQ(pair.one.events[1].resent, before.in_flight);
  const Strings expected(
      sent.begin() + static_cast<std::ptrdiff_t>(before.acknowledged),
      sent.end());
  EXPECT_EQ(pair.two.Payloads(), expected);
  // With their ids of the first time.
  EXPECT_EQ(pair.two.taken[0].message_id.sequence, before.acknowledged + 1);
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
  EXPECT_TRUE(pair.one.link->Drained());
}

TEST(LinkSession, ARestartedPeerGetsOnlyWhatIsNewWhereThePolicyIsDrop) {
  LinkPair pair([](LinkConfig* config) {
    config->on_peer_restart = OnPeerRestart::kDrop;
  });
  pair.Connect();
  Strings sent;
  SomeTraffic(&pair, &sent);
  const PeerStats before = pair.one.Stats();
  pair.one.events.clear();
  pair.two.consumes = true;
  Reborn(&pair, &pair.two, 2002);
  pair.Advance(absl::Seconds(1));

  ASSERT_EQ(pair.one.Events(), "down restarted up");
  EXPECT_EQ(pair.one.events[1].unknown_fate, before.in_flight);
  EXPECT_EQ(pair.one.events[1].resent, 0u);
  EXPECT_EQ(pair.one.Stats().Dropped(DropReason::kPeerRestart),
            before.in_flight);
  const Strings expected(
      sent.begin() +
          static_cast<std::ptrdiff_t>(before.acknowledged + before.in_flight),
      sent.end());
  EXPECT_EQ(pair.two.Payloads(), expected);
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
}

std::string BytesOf(const Frame& frame) {
  std::string bytes;
  for (const Slice& slice : frame.slices)
    bytes.append(slice.bytes.data(), slice.bytes.size());
  return bytes;
}

// What `one` sends goes to `two`, but for data, which the transport has no room
// for.
void SpeakButData(LinkPair* pair) {
  pair->one.link->OnWritable();
  Frame frame;
  while (pair->one.link->NextFrame(pair->now, &frame)) {
    const std::string bytes = BytesOf(frame);
    if (HeaderOf(bytes).kind == FrameKind::kData)
      return pair->one.link->FrameNotTaken();
    pair->two.Hear(bytes);
    frame = Frame();
  }
}

// As Reborn, without data of `one` until there is another session.
void RebornWithoutData(LinkPair* pair, std::uint64_t incarnation) {
  pair->two.Restart(incarnation);
  pair->two.link->OnConnected(pair->now);
  const std::uint64_t sessions = pair->one.Stats().sessions;
  while (pair->one.Stats().sessions == sessions) {
    for (const std::string& frame : pair->two.Speak()) pair->one.Hear(frame);
    SpeakButData(pair);
    pair->now += absl::Milliseconds(10);
    pair->two.link->Tick(pair->now);
  }
  pair->one.link->OnWritable();
  pair->Advance(absl::Seconds(1));
}

TEST(LinkSession, WhatTheTransportDidNotTakeIsNotOfUnknownFate) {
  LinkPair pair([](LinkConfig* config) {
    config->on_peer_restart = OnPeerRestart::kDrop;
  });
  pair.Connect();
  pair.one.Append("transmitted");
  pair.one.Speak();  // lost
  pair.one.Append("not taken");
  SpeakButData(&pair);
  pair.one.events.clear();
  RebornWithoutData(&pair, 2002);
  ASSERT_EQ(pair.one.Events(), "down restarted up");
  EXPECT_EQ(pair.one.events[1].unknown_fate, 1u);
  EXPECT_EQ(pair.two.Payloads(), Strings{"not taken"});
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
}

// Large enough for two chunks, both of which may be on their way.
std::string TwoChunks(const LinkConfig& config) {
  const std::size_t chunk =
      ChunkBytes(config.frame_bytes, config.inflight_bytes);
  return std::string(chunk + chunk / 2, 'x');
}

// Where its end never left it is whole again, and for the same process too,
// which cannot have taken it.
TEST(LinkSession, APayloadWhoseEndTheTransportDidNotTakeBeginsAnew) {
  LinkPair pair;
  pair.Connect();
  const std::string large = TwoChunks(pair.one.config);
  pair.one.Append(large);
  pair.one.Speak(1);  // lost
  SpeakButData(&pair);
  ASSERT_EQ(pair.one.Stats().in_flight, 0u);
  ASSERT_EQ(pair.one.Stats().queued, 1u);
  EXPECT_FALSE(pair.one.link->AllReceived());
  RebornWithoutData(&pair, pair.two.config.incarnation);
  EXPECT_EQ(pair.two.Payloads(), Strings{large});
  EXPECT_EQ(pair.one.Stats().Dropped(DropReason::kPeerRestart), 0u);
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
}

// The frames of the first time may still be with the transport.
TEST(LinkSession, ASecondSendingWritesNoHeaderOverTheFirst) {
  LinkPair pair;
  pair.Connect();
  pair.one.Append(TwoChunks(pair.one.config));
  std::vector<Frame> first;
  Strings before;
  Frame frame;
  while (pair.one.link->NextFrame(pair.now, &frame)) {
    before.push_back(BytesOf(frame));
    first.push_back(std::move(frame));
    frame = Frame();
  }
  ASSERT_EQ(first.size(), 2u);
  Reborn(&pair, &pair.two, 2002);
  pair.Advance(absl::Seconds(1));
  ASSERT_EQ(pair.two.taken.size(), 1u);
  Strings after;
  for (const Frame& sent : first) after.push_back(BytesOf(sent));
  EXPECT_TRUE(after == before);
}

// A payload that was on its way in part, behind a small one that is resent.
TEST(LinkSession, APayloadCutInPartBeginsAnewBehindWhatIsResent) {
  LinkPair pair;
  pair.Connect();
  const std::string large(50 << 10, 'x');
  pair.one.Append("small");
  pair.one.Speak();  // lost
  pair.one.Append(large);
  pair.one.Speak(1);
  ASSERT_EQ(pair.one.Stats().in_flight, 1u);
  ASSERT_EQ(pair.one.Stats().queued, 1u);
  Reborn(&pair, &pair.two, 2002);
  pair.Advance(absl::Seconds(1));
  EXPECT_EQ(pair.two.Payloads(), (Strings{"small", large}));
  EXPECT_EQ(pair.one.Stats().sessions, 2u);
}

TEST(LinkSession, TheSameLifeIsNeverSentAnythingTwice) {
  LinkPair pair;
  pair.Connect();
  pair.two.consumes = false;
  pair.one.Append("received");
  pair.Exchange();
  const std::uint64_t session = pair.one.link->session();
  pair.one.events.clear();
  Reborn(&pair, &pair.two, pair.two.config.incarnation);
  EXPECT_NE(pair.one.link->session(), session);
  ASSERT_EQ(pair.one.Events(), "down restarted up");
  EXPECT_EQ(pair.one.events[1].unknown_fate, 1u);
  EXPECT_EQ(pair.one.events[1].resent, 0u);
  EXPECT_EQ(pair.one.Stats().Dropped(DropReason::kPeerRestart), 1u);
  EXPECT_EQ(pair.two.Pending(), 0);
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
}

TEST(LinkSession, ReplayedFramesChangeNothing) {
  LinkPair pair;
  Strings of_one;
  pair.one.link->OnConnected(pair.now);
  pair.two.link->OnConnected(pair.now);
  pair.one.Append("once");
  while (true) {  // as Exchange, with a recorder
    const Strings ones = pair.one.Speak();
    const Strings twos = pair.two.Speak();
    if (ones.empty() && twos.empty()) break;
    for (const std::string& frame : ones) pair.two.Hear(frame);
    for (const std::string& frame : twos) pair.one.Hear(frame);
    of_one.insert(of_one.end(), ones.begin(), ones.end());
  }
  ASSERT_EQ(pair.two.Payloads(), Strings{"once"});
  const std::uint64_t session = pair.two.link->session();
  for (int round = 0; round < 3; ++round) {
    for (const std::string& frame : of_one) pair.two.Hear(frame);
    pair.Advance(absl::Milliseconds(100));
  }
  EXPECT_EQ(pair.two.Payloads(), Strings{"once"});
  EXPECT_EQ(pair.two.link->session(), session);
  EXPECT_EQ(pair.one.link->session(), session);
  EXPECT_EQ(pair.two.Events(), "up");
  EXPECT_EQ(pair.two.Stats().Refused(RefusalReason::kDuplicate), 3u);

  // Nor after a restart, when they are of another session.
  Reborn(&pair, &pair.two, 2002);
  for (const std::string& frame : of_one) pair.two.Hear(frame);
  pair.Advance(absl::Milliseconds(200));
  EXPECT_TRUE(pair.two.taken.empty());
  EXPECT_EQ(pair.two.Events(), "up");
  EXPECT_GT(pair.two.Stats().Refused(RefusalReason::kUnknownSession), 0u);
  pair.one.Append("still");
  pair.Exchange();
  EXPECT_EQ(pair.two.Payloads(), Strings{"still"});
}

TEST(LinkSession, AnAcknowledgementOfTheUnsentBreaksTheSession) {
  LinkPair pair;
  pair.Connect();
  const std::uint64_t session = pair.one.link->session();
  pair.one.Append("x");
  pair.one.Speak();  // on its way
  pair.two.link->Tick(pair.now += absl::Seconds(1));
  const Strings frames = pair.two.Speak();
  ASSERT_FALSE(frames.empty());
  pair.one.Hear(Forged(
      frames[0], [](FrameHeader* header) { header->received_through = 2; }));
  EXPECT_EQ(pair.one.Stats().Refused(RefusalReason::kImpossibleAck), 1u);
  EXPECT_EQ(pair.one.Events(), "up down");
  pair.Advance(absl::Milliseconds(200));
  EXPECT_EQ(pair.one.Events(), "up down restarted up");
  EXPECT_NE(pair.one.link->session(), session);
  EXPECT_EQ(pair.one.link->session(), pair.two.link->session());
  EXPECT_EQ(pair.one.Stats().Dropped(DropReason::kPeerRestart), 1u);
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
}

TEST(LinkSession, AnImpossibleAcknowledgementOfAnotherSessionBreaksNothing) {
  LinkPair pair;
  pair.Connect();
  pair.two.link->Tick(pair.now += absl::Seconds(1));
  const Strings frames = pair.two.Speak();
  ASSERT_FALSE(frames.empty());
  pair.one.Hear(Forged(frames[0], [](FrameHeader* header) {
    header->received_through = 2;
    header->session ^= 1;
  }));
  EXPECT_EQ(pair.one.Events(), "up");
  EXPECT_EQ(pair.one.Stats().Refused(RefusalReason::kUnknownSession), 1u);
}

// Frames of a sender that knows no window, until the receiver has had enough.
// Behind the first one come whole records, or parts of one large record.
void ExceedTheWindow(LinkPair* pair, bool in_parts) {
  const std::string body(1000, 'x');
  std::uint64_t sequence = 0;
  while (pair->two.Stats().Refused(RefusalReason::kOverrun) == 0) {
    ASSERT_LT(sequence * FrameCharge(body.size()),
              2 * pair->two.config.window_bytes);
    FrameHeader header;
    header.kind = FrameKind::kData;
    header.codec = 1;
    header.sender_id = 1;
    header.destination_id = 2;
    header.session = pair->two.link->session();
    header.sequence = ++sequence;
    header.records = 1;
    if (in_parts && sequence > 1) {
      header.records = sequence == 2 ? 1 : 0;
      header.chunk = sequence == 2 ? ChunkState::kFirst : ChunkState::kMiddle;
      header.chunk_total_bytes = pair->two.config.payload_bytes_max;
    }
    pair->two.link->OnFrame(header, MakeSlice(body), pair->now);
  }
  EXPECT_LE((sequence - 1) * FrameCharge(body.size()),
            pair->two.config.window_bytes);
  EXPECT_EQ(pair->two.Events(), "up down");
  EXPECT_EQ(pair->two.link->session(), 0u);
}

TEST(LinkSession, ASenderThatExceedsTheWindowLosesItsSession) {
  LinkPair pair;
  pair.two.consumes = false;
  pair.Connect();
  ExceedTheWindow(&pair, /*in_parts=*/false);
}

TEST(LinkSession, ASenderThatExceedsTheWindowByPartsLosesItsSession) {
  LinkPair pair;
  pair.two.consumes = false;
  pair.Connect();
  ExceedTheWindow(&pair, /*in_parts=*/true);
}

TEST(LinkSession, FramesForOthersAreRefused) {
  LinkPair pair;
  pair.Connect();
  pair.one.Append("x");
  const Strings frames = pair.one.Speak();
  ASSERT_EQ(frames.size(), 1u);
  pair.two.Hear(Forged(
      frames[0], [](FrameHeader* header) { header->destination_id = 3; }));
  EXPECT_EQ(pair.two.Stats().Refused(RefusalReason::kWrongDestination), 1u);
  EXPECT_TRUE(pair.two.taken.empty());
  EXPECT_EQ(pair.two.Events(), "up");
}

TEST(LinkSession, OtherClustersAreRefused) {
  LinkPair pair;
  pair.two.config.cluster = "another";
  pair.two.Restart(2002);
  pair.Connect();
  pair.Advance(absl::Seconds(1));
  EXPECT_FALSE(pair.one.link->up());
  EXPECT_FALSE(pair.two.link->up());
  EXPECT_GT(pair.one.Stats().Refused(RefusalReason::kWrongCluster), 0u);
}

TEST(LinkSession, RecordsThatMakeNoSenseCostTheSession) {
  LinkPair pair;
  pair.Connect();
  const std::uint64_t session = pair.two.link->session();
  pair.two.link->RejectRecords(session ^ 1, RefusalReason::kBadRecord,
                               "of an earlier session");
  EXPECT_EQ(pair.two.link->session(), session);
  pair.two.link->RejectRecords(session, RefusalReason::kBadRecord, "nonsense");
  EXPECT_EQ(pair.two.link->session(), 0u);
  pair.Advance(absl::Milliseconds(200));
  EXPECT_EQ(pair.two.Events(), "up down restarted up");
  EXPECT_EQ(pair.two.Stats().Refused(RefusalReason::kBadRecord), 2u);
}

TEST(LinkSession, ChunksAmidAnotherRecordCostTheSession) {
  LinkPair pair([](LinkConfig* config) {
    config->window_bytes = config->inflight_bytes = 64 << 10;
  });
  pair.Connect();
  pair.one.Append(std::string(50 << 10, 'x'));
  const Strings frames = pair.one.Speak();
  ASSERT_GT(frames.size(), 1u);
  pair.two.Hear(frames[0]);
  pair.two.Hear(Forged(frames[1], [](FrameHeader* header) {
    header->chunk = ChunkState::kWhole;
    header->records = 1;
    header->chunk_total_bytes = 0;
  }));
  EXPECT_EQ(pair.two.Stats().Refused(RefusalReason::kBadRecord), 1u);
  EXPECT_EQ(pair.two.Pending(), 0);
}

// What is consumed of an old session says nothing about the new one.
TEST(LinkSession, ConsumedOfAnEarlierSessionIsIgnored) {
  LinkPair pair;
  pair.Connect();
  pair.two.consumes = false;
  pair.one.Append("old");
  pair.Exchange();
  ASSERT_EQ(pair.two.Pending(), 1);
  const std::uint64_t old = pair.two.link->session();
  Reborn(&pair, &pair.one, 1002);
  pair.one.Append("new");
  pair.Exchange();
  ASSERT_EQ(pair.two.Pending(), 2);
  pair.two.link->Consumed(old, 1);
  pair.Advance(absl::Milliseconds(100));
  EXPECT_EQ(pair.one.Stats().acknowledged, 0u);
  pair.two.Consume();
  pair.Advance(absl::Milliseconds(100));
  EXPECT_EQ(pair.one.Stats().acknowledged, 1u);
}

}  // namespace
}  // namespace cluster
