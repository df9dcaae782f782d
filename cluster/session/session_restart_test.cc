// A new process at the other end of a session, or a new session of the same one.
// And the envelopes that were on their way.

#include <string>
#include <utility>
#include <vector>

#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using Strings = std::vector<std::string>;

// Three lanes, small and large, consumed in part, on their way and queued.
void SomeTraffic(SessionPair* pair, Strings* sent) {
  pair->two.consumes = false;
  for (int i = 0; i < 60; ++i) {
    sent->push_back(std::to_string(i) +
                    std::string(i % 10 == 9 ? 6000 : 50, 'x'));
    ASSERT_EQ(pair->one.Append(sent->back()), SendOutcome::kAccepted);
    if (i == 10) {
      pair->Exchange();
      pair->two.Consume();
      pair->Advance(absl::Milliseconds(50));
    }
    if (i % 3 == 0) pair->one.Speak(1);  // lost
  }
}

TEST(SessionRestart, ARestartedPeerGetsWhatIsNotKnownConsumedFirst) {
  SessionPair pair;
  pair.Connect();
  Strings sent;
  SomeTraffic(&pair, &sent);
  const PeerStats before = pair.one.Stats();
  ASSERT_GT(before.in_flight, 0u);
  ASSERT_GT(before.queued, 0u);
  ASSERT_GT(before.acknowledged, 0u);
  pair.one.events.clear();
  pair.two.consumes = true;
  pair.Reborn(&pair.two, 2002);
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
  EXPECT_TRUE(pair.one.session->Drained());
}

TEST(SessionRestart, ARestartedPeerGetsOnlyWhatIsNewWhereThePolicyIsDrop) {
  SessionPair pair([](SessionConfig* config) {
    config->on_peer_restart = OnPeerRestart::kDrop;
  });
  pair.Connect();
  Strings sent;
  SomeTraffic(&pair, &sent);
  const PeerStats before = pair.one.Stats();
  pair.one.events.clear();
  pair.two.consumes = true;
  pair.Reborn(&pair.two, 2002);
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

// The frames of `one` go to `two`, but for data, for which the transport has no
// room.
void SpeakButData(SessionPair* pair) {
  pair->one.session->OnWritable();
  Frame frame;
  while (pair->one.session->NextFrame(pair->now, &frame)) {
    const std::string bytes = BytesOf(frame);
    if (HeaderOf(bytes).kind == FrameKind::kData)
      return pair->one.session->FrameNotTaken();
    pair->two.Hear(bytes);
    frame = Frame();
  }
}

// As SessionPair::Reborn, without data of `one` until there is another session.
void RebornWithoutData(SessionPair* pair, std::uint64_t incarnation) {
  pair->two.Restart(incarnation);
  pair->two.session->OnConnected(pair->now);
  const std::uint64_t sessions = pair->one.Stats().sessions;
  while (pair->one.Stats().sessions == sessions) {
    for (const std::string& frame : pair->two.Speak()) pair->one.Hear(frame);
    SpeakButData(pair);
    pair->now += absl::Milliseconds(10);
    pair->two.session->Tick(pair->now);
  }
  pair->one.session->OnWritable();
  pair->Advance(absl::Seconds(1));
}

TEST(SessionRestart, WhatTheTransportDidNotTakeIsNotOfUnknownFate) {
  SessionPair pair([](SessionConfig* config) {
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
std::string TwoChunks(const SessionConfig& config) {
  const std::size_t chunk =
      ChunkBytes(config.frame_bytes, config.inflight_bytes);
  return std::string(chunk + chunk / 2, 'x');
}

// Where its end never left it is whole again, and for the same process too,
// which cannot have taken it.
TEST(SessionRestart, APayloadWhoseEndTheTransportDidNotTakeBeginsAnew) {
  SessionPair pair;
  pair.Connect();
  const std::string large = TwoChunks(pair.one.config);
  pair.one.Append(large);
  pair.one.Speak(1);  // lost
  SpeakButData(&pair);
  ASSERT_EQ(pair.one.Stats().in_flight, 0u);
  ASSERT_EQ(pair.one.Stats().queued, 1u);
  EXPECT_FALSE(pair.one.session->AllReceived());
  RebornWithoutData(&pair, pair.two.config.incarnation);
  EXPECT_EQ(pair.two.Payloads(), Strings{large});
  EXPECT_EQ(pair.one.Stats().Dropped(DropReason::kPeerRestart), 0u);
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
}

// The frames of the first time may still be with the transport.
TEST(SessionRestart, ASecondSendingWritesNoHeaderOverTheFirst) {
  SessionPair pair;
  pair.Connect();
  pair.one.Append(TwoChunks(pair.one.config));
  std::vector<Frame> first;
  Strings before;
  Frame frame;
  while (pair.one.session->NextFrame(pair.now, &frame)) {
    before.push_back(BytesOf(frame));
    first.push_back(std::move(frame));
    frame = Frame();
  }
  ASSERT_EQ(first.size(), 2u);
  pair.Reborn(&pair.two, 2002);
  pair.Advance(absl::Seconds(1));
  ASSERT_EQ(pair.two.taken.size(), 1u);
  Strings after;
  for (const Frame& sent : first) after.push_back(BytesOf(sent));
  EXPECT_TRUE(after == before);
}

// A payload that was on its way in part, behind a small one that is resent.
TEST(SessionRestart, APayloadCutInPartBeginsAnewBehindWhatIsResent) {
  SessionPair pair;
  pair.Connect();
  const std::string large(50 << 10, 'x');
  pair.one.Append("small");
  pair.one.Speak();  // lost
  pair.one.Append(large);
  pair.one.Speak(1);
  ASSERT_EQ(pair.one.Stats().in_flight, 1u);
  ASSERT_EQ(pair.one.Stats().queued, 1u);
  pair.Reborn(&pair.two, 2002);
  pair.Advance(absl::Seconds(1));
  EXPECT_EQ(pair.two.Payloads(), (Strings{"small", large}));
  EXPECT_EQ(pair.one.Stats().sessions, 2u);
}

TEST(SessionRestart, TheSameLifeIsNeverSentAnythingTwice) {
  SessionPair pair;
  pair.Connect();
  pair.two.consumes = false;
  pair.one.Append("received");
  pair.Exchange();
  const std::uint64_t session = pair.one.session->id();
  pair.one.events.clear();
  pair.Reborn(&pair.two, pair.two.config.incarnation);
  EXPECT_NE(pair.one.session->id(), session);
  ASSERT_EQ(pair.one.Events(), "down restarted up");
  EXPECT_EQ(pair.one.events[1].unknown_fate, 1u);
  EXPECT_EQ(pair.one.events[1].resent, 0u);
  EXPECT_EQ(pair.one.Stats().Dropped(DropReason::kPeerRestart), 1u);
  EXPECT_EQ(pair.two.Pending(), 0);
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
}

}  // namespace
}  // namespace cluster::internal
