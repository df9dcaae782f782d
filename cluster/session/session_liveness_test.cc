// Sessions whose frames are lost, peers fall silent or connections push back.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using Strings = std::vector<std::string>;

TEST(SessionLiveness, HeartbeatsKeepAnIdleSessionUp) {
  SessionPair pair;
  pair.Connect();
  const std::uint64_t before = pair.two.frames_heard;
  pair.Advance(absl::Seconds(10));
  EXPECT_EQ(pair.one.Events(), "up");
  EXPECT_EQ(pair.two.Events(), "up");
  const std::uint64_t beats = pair.two.frames_heard - before;
  EXPECT_GE(beats, 18u);  // every 500 ms
  EXPECT_LE(beats, 22u);
}

// Both ends beat at the same times.
TEST(SessionLiveness, AHeartbeatThatIsHeardDelaysNone) {
  SessionPair pair;
  pair.Connect();
  pair.Advance(absl::Seconds(2));
  const absl::Time due = pair.one.session->IdleUntil();
  pair.now = due + absl::Milliseconds(1);
  pair.two.session->Tick(pair.now);
  for (const std::string& frame : pair.two.Speak()) pair.one.Hear(frame);
  EXPECT_EQ(pair.one.session->IdleUntil(), due);
}

// Moves all frames of one end to the other, which takes so long.
void Carry(SessionPair* pair, SessionEnd* from, SessionEnd* to,
           absl::Duration time) {
  const Strings frames = from->Speak();
  pair->now += time;
  for (const std::string& frame : frames) to->Hear(frame);
}

TEST(SessionRoundTrip, AnIdleSessionMeasuresNowAndThen) {
  SessionPair pair;
  pair.Connect();
  pair.Advance(pair.one.config.rtt_memory - absl::Milliseconds(10));
  EXPECT_EQ(pair.one.Stats().round_trips.count(), 0u);
  pair.Advance(2 * pair.one.config.heartbeat);
  EXPECT_EQ(pair.one.Stats().round_trips.count(), 1u);
  EXPECT_EQ(pair.two.Stats().round_trips.count(), 1u);
  pair.Advance(10 * pair.one.config.rtt_memory);
  EXPECT_LE(pair.one.Stats().round_trips.count(), 11u);
  EXPECT_GE(pair.one.Stats().round_trips.count(), 9u);
  EXPECT_EQ(pair.one.Events(), "up");
}

TEST(SessionRoundTrip, AProbeMeasuresBothWays) {
  SessionPair pair;
  pair.Connect();
  pair.Advance(absl::Seconds(1));
  pair.one.session->Probe(pair.now);
  pair.one.session->Probe(pair.now);  // one at a time
  Carry(&pair, &pair.one, &pair.two, absl::Milliseconds(3));
  Carry(&pair, &pair.two, &pair.one, absl::Milliseconds(4));
  EXPECT_EQ(pair.one.Stats().round_trips.count(), 1u);
  EXPECT_EQ(pair.one.Stats().last_round_trip, absl::Milliseconds(7));
  EXPECT_EQ(pair.one.Stats().rtt, absl::Milliseconds(7));
  EXPECT_EQ(pair.two.Stats().round_trips.count(), 0u);
}

TEST(SessionRoundTrip, BothMayProbeAtOnce) {
  SessionPair pair;
  pair.Connect();
  pair.Advance(absl::Seconds(1));
  pair.one.session->Probe(pair.now);
  pair.two.session->Probe(pair.now);
  const Strings of_one = pair.one.Speak();
  const Strings of_two = pair.two.Speak();
  pair.now += absl::Milliseconds(3);
  for (const std::string& frame : of_one) pair.two.Hear(frame);
  for (const std::string& frame : of_two) pair.one.Hear(frame);
  const Strings answers_of_one = pair.one.Speak();
  Carry(&pair, &pair.two, &pair.one, absl::Milliseconds(3));
  for (const std::string& frame : answers_of_one) pair.two.Hear(frame);
  EXPECT_EQ(pair.one.Stats().last_round_trip, absl::Milliseconds(6));
  EXPECT_EQ(pair.two.Stats().last_round_trip, absl::Milliseconds(6));
}

// An answer to the second might be one to the first.
TEST(SessionRoundTrip, AProbeThatIsRepeatedMeasuresNothing) {
  SessionPair pair;
  pair.Connect();
  pair.Advance(absl::Seconds(1));
  pair.one.session->Probe(pair.now);
  EXPECT_FALSE(pair.one.Speak().empty());  // lost
  pair.now += kHelloInterval;
  Carry(&pair, &pair.one, &pair.two, absl::Milliseconds(3));
  Carry(&pair, &pair.two, &pair.one, absl::Milliseconds(4));
  EXPECT_EQ(pair.one.Stats().round_trips.count(), 0u);
  // The next one does.
  pair.Advance(absl::Seconds(1));
  pair.one.session->Probe(pair.now);
  pair.Exchange();
  EXPECT_EQ(pair.one.Stats().round_trips.count(), 1u);
}

TEST(SessionFacts, SayWhoThePeerIsAndSinceWhen) {
  SessionPair pair;
  EXPECT_EQ(pair.one.Stats().since, absl::InfinitePast());
  EXPECT_EQ(pair.one.Stats().incarnation, 0u);
  pair.one.session->Tick(pair.now);
  EXPECT_EQ(pair.one.Stats().since, pair.now);
  pair.now += absl::Seconds(1);
  pair.Connect();
  const absl::Time up_at = pair.one.Stats().since;
  EXPECT_GT(up_at, absl::UnixEpoch());
  EXPECT_EQ(pair.one.Stats().incarnation, pair.two.config.incarnation);
  EXPECT_EQ(pair.one.Stats().wire_version, kFrameVersionMax);
  pair.two_is_heard = false;
  pair.Advance(pair.one.config.peer_timeout + absl::Seconds(1));
  EXPECT_FALSE(pair.one.Stats().up);
  EXPECT_GT(pair.one.Stats().since, up_at);
  // The session is there still, and so is what is known of the peer.
  EXPECT_EQ(pair.one.Stats().incarnation, pair.two.config.incarnation);
}

// It says nothing of what arrived and was consumed.
TEST(SessionLiveness, AHelloIsNoHeartbeat) {
  SessionPair pair;
  pair.Connect();
  pair.Advance(absl::Seconds(2));
  pair.now = pair.two.session->IdleUntil() + absl::Milliseconds(1);
  pair.one.session->Probe(pair.now);
  for (const std::string& frame : pair.one.Speak()) pair.two.Hear(frame);
  const std::vector<std::string> answer = pair.two.Speak();
  ASSERT_EQ(answer.size(), 1u);
  ASSERT_EQ(HeaderOf(answer[0]).kind, FrameKind::kHello);
  pair.two.session->Tick(pair.now);
  const std::vector<std::string> beat = pair.two.Speak();
  ASSERT_EQ(beat.size(), 1u);
  EXPECT_EQ(HeaderOf(beat[0]).kind, FrameKind::kControl);
}

TEST(SessionFacts, SayHowLongEnvelopesWait) {
  SessionPair pair;
  pair.Connect();
  pair.Advance(absl::Seconds(1));
  pair.one.Append("leaves at once");
  pair.Exchange();
  EXPECT_EQ(pair.one.Stats().queue_times.count(), 1u);
  EXPECT_EQ(pair.one.Stats().queue_times.sum, absl::ZeroDuration());

  pair.one.session->OnDisconnected("cut", pair.now);
  pair.one.session->Tick(pair.now);
  EXPECT_EQ(pair.one.Stats().lag, absl::ZeroDuration());
  pair.one.Append("waits");
  pair.one.session->Tick(pair.now += absl::Milliseconds(200));
  pair.one.Append("waits less");
  pair.one.Append("waits in another lane", Lane::kBulk);
  pair.one.session->Tick(pair.now += absl::Milliseconds(100));
  EXPECT_EQ(pair.one.Stats().lag, absl::Milliseconds(300));
  pair.one.session->OnConnected(pair.now);
  pair.Exchange();
  EXPECT_EQ(pair.two.Payloads().size(), 4u);
  // Of each batch the oldest: 300 ms, and 100 ms in the bulk lane.
  EXPECT_EQ(pair.one.Stats().queue_times.count(), 3u);
  EXPECT_EQ(pair.one.Stats().queue_times.sum, absl::Milliseconds(400));
  EXPECT_EQ(pair.one.Stats().lag, absl::ZeroDuration());
}

// A frame that was overtaken or replayed does not show the present state.
TEST(SessionLiveness, AnOldFrameOfTheSessionSaysNothingOfThePeer) {
  SessionPair pair(
      [](SessionConfig* config) { config->peer_timeout = absl::Seconds(10); });
  pair.Connect();
  pair.one.Append("a");
  pair.one.Speak();  // in flight, and lost
  const auto heartbeat = [&] {
    pair.two.session->Tick(pair.now += absl::Milliseconds(500));
    return pair.two.Speak().at(0);
  };
  const std::string doubts = Forged(heartbeat(), [](FrameHeader* header) {
    header->flags &= ~kHearsYou;
    header->flags |= kGap;
  });
  const std::string goodbye = Forged(heartbeat(), [](FrameHeader* header) {
    header->kind = FrameKind::kGoodbye;
  });
  pair.one.Hear(heartbeat());
  pair.one.Hear(doubts);
  pair.one.Hear(goodbye);
  EXPECT_EQ(pair.one.Events(), "up");
  EXPECT_TRUE(pair.one.Speak().empty());  // nothing is sent again

  // Nor does it keep a silent peer alive.
  pair.now += pair.one.config.peer_timeout;
  pair.one.Hear(doubts);
  pair.one.session->Tick(pair.now += absl::Milliseconds(1));
  EXPECT_EQ(pair.one.Events(), "up down");
}

TEST(SessionLiveness, SilenceForTheTimeoutIsDown) {
  SessionPair pair;
  pair.Connect();
  pair.two_is_heard = false;
  pair.Advance(pair.one.config.peer_timeout - absl::Milliseconds(500));
  EXPECT_EQ(pair.one.Events(), "up");
  pair.Advance(absl::Milliseconds(600));
  EXPECT_EQ(pair.one.Events(), "up down");
  // Its session and its queue are kept.
  pair.one.Append("kept");
  pair.two_is_heard = true;
  pair.Advance(absl::Seconds(3));
  EXPECT_EQ(pair.one.Events(), "up down up");
  EXPECT_EQ(pair.two.Payloads(), Strings{"kept"});
  EXPECT_EQ(pair.one.Stats().sessions, 1u);
}

// One direction dies: both sides see it, and neither flaps for as long as it
// lasts, though what is unacknowledged is asked after.
TEST(SessionLiveness, OneWayDeafnessIsDownOnBothSides) {
  SessionPair pair;
  pair.Connect();
  pair.two_is_heard = false;
  pair.one.Append("never acknowledged");
  pair.Advance(absl::Seconds(20));
  EXPECT_EQ(pair.one.Events(), "up down");
  EXPECT_EQ(pair.two.Events(), "up down");
  EXPECT_GT(pair.two.frames_heard, 3u);
  pair.two_is_heard = true;
  pair.Advance(absl::Seconds(3));
  EXPECT_EQ(pair.one.Events(), "up down up");
  EXPECT_EQ(pair.two.Events(), "up down up");
  EXPECT_EQ(pair.two.Payloads(), Strings{"never acknowledged"});
}

// The side that is not heard learns it as soon as the other one knows. It must not
// learn it before, since it dials anew and may be heard again at once.
TEST(SessionLiveness, OneWayDeafnessIsDownOnBothSidesBeforeItIsRepaired) {
  SessionPair pair;
  pair.Connect();
  pair.two_is_heard = false;
  const absl::Time latest = pair.now + 2 * pair.one.config.peer_timeout;
  while (pair.one.session->up() && pair.two.session->up() && pair.now < latest)
    pair.Advance(absl::Milliseconds(10));
  EXPECT_EQ(pair.one.Events(), "up down");
  EXPECT_EQ(pair.two.Events(), "up down");
  pair.two_is_heard = true;
  pair.two.session->OnConnected(pair.now);
  pair.Exchange();  // no time passes
  EXPECT_EQ(pair.one.Events(), "up down up");
  EXPECT_EQ(pair.two.Events(), "up down up");
}

// The heartbeats go on, so only what they say makes it down.
TEST(SessionLiveness, APeerWhoseApplicationStandsStillIsDown) {
  SessionPair pair;
  pair.Connect();
  *pair.two.config.stands_still = true;
  pair.Advance(absl::Milliseconds(20));
  EXPECT_EQ(pair.one.Events(), "up down");
  EXPECT_EQ(pair.one.events.back().reason, "its application stands still");
  EXPECT_TRUE(pair.one.session->peer_answers());
  // Data too says so, and for longer than every timeout it stays so.
  pair.two.Append("sent by another thread");
  pair.one.Append("kept in its window");
  pair.Advance(absl::Minutes(1));
  EXPECT_EQ(pair.one.Events(), "up down");
  EXPECT_EQ(pair.one.Payloads(), Strings{"sent by another thread"});
  *pair.two.config.stands_still = false;
  pair.Advance(absl::Milliseconds(20));
  EXPECT_EQ(pair.one.Events(), "up down up");
  EXPECT_EQ(pair.one.events.back().reason, "its application goes on");
  EXPECT_EQ(pair.two.Events(), "up");
  EXPECT_EQ(pair.one.Stats().sessions, 1u);
  EXPECT_EQ(pair.one.Stats().frames_retransmitted, 0u);
}

TEST(SessionLiveness, AStandstillThatBeginsBeforeTheSessionIsToldAtOnce) {
  SessionPair pair;
  *pair.two.config.stands_still = true;
  pair.Connect();
  EXPECT_EQ(pair.one.Events(), "up down");
}

// Its last word about its application is old then.
TEST(SessionLiveness, APeerThatStandsStillMayFallSilentToo) {
  SessionPair pair;
  pair.Connect();
  *pair.two.config.stands_still = true;
  pair.Advance(absl::Milliseconds(20));
  pair.two_is_heard = false;
  pair.Advance(2 * pair.one.config.peer_timeout);
  EXPECT_EQ(pair.one.Events(), "up down");
  EXPECT_FALSE(pair.one.session->peer_answers());
  EXPECT_EQ(pair.one.Stats().last_trouble,
            absl::StrCat("not heard for ",
                         absl::FormatDuration(pair.one.config.peer_timeout)));
  *pair.two.config.stands_still = false;
  pair.two_is_heard = true;
  pair.Advance(absl::Seconds(3));
  EXPECT_EQ(pair.one.Events(), "up down up");
  EXPECT_EQ(pair.one.events.back().reason, "heard again");
}

// Release 0.3.0 has groups and not this: it would refuse the flag.
TEST(SessionLiveness, APeerWithoutTheFeatureHearsNothingOfAStandstill) {
  for (const std::uint64_t features : {std::uint64_t{0}, kFeatureGroups}) {
    SessionPair pair;
    pair.one.config.features = features;
    pair.one.Restart(1);
    *pair.two.config.stands_still = true;
    pair.Connect();
    pair.two.Append("data");
    for (const std::string& frame : pair.two.Speak()) {
      EXPECT_EQ(HeaderOf(frame).flags & kStandsStill, 0);
      pair.one.Hear(frame);
    }
    pair.Advance(absl::Minutes(1));
    EXPECT_EQ(pair.one.Events(), "up");
    EXPECT_EQ(pair.one.Payloads(), Strings{"data"});
    EXPECT_EQ(pair.one.Stats().Refused(RefusalReason::kMalformed), 0u);
    EXPECT_EQ(pair.one.Stats().sessions, 1u);
  }
}

TEST(SessionLiveness, AFlagThatTheSessionDoesNotHaveIsRefused) {
  SessionPair pair;
  pair.one.config.features = kFeatureGroups;
  pair.one.Restart(1);
  pair.Connect();
  pair.two.Append("data");
  for (const std::string& frame : pair.two.Speak())
    pair.one.Hear(Forged(
        frame, [](FrameHeader* header) { header->flags |= kStandsStill; }));
  EXPECT_EQ(pair.one.Stats().Refused(RefusalReason::kMalformed), 1u);
  EXPECT_TRUE(pair.one.taken.empty());
  EXPECT_TRUE(pair.one.session->up());
  pair.Advance(absl::Seconds(1));  // it is sent again
  EXPECT_EQ(pair.one.Payloads(), Strings{"data"});
}

TEST(SessionLiveness, AGoodbyeIsDownAtOnce) {
  SessionPair pair;
  pair.Connect();
  pair.one.session->SayGoodbye(GoodbyeReason::kStopped);
  pair.Exchange();
  EXPECT_EQ(pair.two.Events(), "up down");
  EXPECT_EQ(pair.two.events[1].reason, "it stopped");
  EXPECT_TRUE(pair.one.Speak().empty());
  pair.one.Append("unsaid");
  pair.Advance(absl::Seconds(1));
  EXPECT_TRUE(pair.two.taken.empty());
}

// Its connection may seem to stand for a while.
TEST(SessionLiveness, NothingIsTransmittedToAPeerThatLeft) {
  SessionPair pair;
  pair.Connect();
  pair.one.session->SayGoodbye(GoodbyeReason::kStopped);
  pair.Exchange();
  pair.two.Append("waits");
  pair.Advance(absl::Milliseconds(100));
  EXPECT_EQ(pair.two.Stats().queued, 1u);
  EXPECT_EQ(pair.two.Stats().in_flight, 0u);
  pair.Reborn(&pair.one, 77);
  EXPECT_EQ(pair.one.Payloads(), std::vector<std::string>{"waits"});
}

TEST(SessionLiveness, AGoodbyeTellsWhy) {
  const auto told = [](const std::string& body) {
    SessionPair pair;
    pair.Connect();
    FrameHeader header;
    header.kind = FrameKind::kGoodbye;
    header.version = 77;  // its form is that of every version
    header.sender_id = 1;
    header.destination_id = 2;
    header.session = pair.two.session->id();
    header.stamp = 1000;
    pair.two.session->OnFrame(header, MakeSlice(body), pair.now);
    return pair.two.session->up() ? "up" : pair.two.events.back().reason;
  };
  EXPECT_EQ(told(EncodeGoodbye({GoodbyeReason::kStopped, "x"})), "it stopped");
  EXPECT_EQ(told(EncodeGoodbye({GoodbyeReason::kRemovedYou, "x"})),
            "removed by server 1");
  EXPECT_EQ(told(""), "it left");
  EXPECT_EQ(told(EncodeGoodbye({GoodbyeReason{77}, "for \x01 good"})),
            "it left: for \\x01 good");
  EXPECT_EQ(told("no entry"), "up");
}

TEST(SessionLiveness, ARemovalIsToldInTheGoodbye) {
  SessionPair pair;
  pair.Connect();
  pair.one.session->SayGoodbye(GoodbyeReason::kRemovedYou);
  pair.Exchange();
  EXPECT_EQ(pair.two.events.back().reason, "removed by server 1");
}

// Control frames of two that say kGap, with what it has received.
class GapAsker {
 public:
  explicit GapAsker(SessionPair* pair) : pair_(pair) {}

  // How many frames it draws.
  int Ask(std::uint64_t received_through = 0) {
    FrameHeader header;
    header.flags = kGap | kHearsYou;
    header.sender_id = 2;
    header.destination_id = 1;
    header.session = pair_->one.session->id();
    header.received_through = received_through;
    header.stamp = ++stamp_;
    pair_->one.session->OnFrame(header, Slice(), pair_->now);
    pair_->one.session->Tick(pair_->now);
    return static_cast<int>(pair_->one.Speak().size());
  }

 private:
  SessionPair* const pair_;
  std::uint32_t stamp_ = 1000;
};

// Puts 28 frames on their way, each with one envelope.
void FillTheWire(SessionPair* pair) {
  for (int i = 0; i < 28; ++i)
    ASSERT_EQ(pair->one.Append(std::string(600, 'x')), SendOutcome::kAccepted);
  ASSERT_EQ(pair->one.Speak().size(), 28u);
}

void LargeFlight(SessionConfig* config) {
  config->inflight_bytes = config->window_bytes = 128 << 10;
}

TEST(SessionLiveness, GapsThatLeadNowhereDrawLessAndLess) {
  SessionPair pair(LargeFlight);
  pair.Connect();
  FillTheWire(&pair);
  GapAsker asker(&pair);
  int frames = 0;
  const absl::Time end = pair.now + absl::Seconds(1);
  for (int i = 0; i < 9600; ++i) {
    frames += asker.Ask();
    pair.now += absl::Seconds(1) / 9600;
  }
  ASSERT_LE(pair.now, end);
  EXPECT_GE(frames, 28);
  EXPECT_LE(frames, 40);
  EXPECT_EQ(pair.one.Events(), "up");
}

TEST(SessionLiveness, AGapBehindProgressIsAnsweredAtOnce) {
  SessionPair pair(LargeFlight);
  pair.Connect();
  FillTheWire(&pair);
  GapAsker asker(&pair);
  for (std::uint64_t received = 0; received < 28; ++received)
    EXPECT_EQ(asker.Ask(received), 28 - static_cast<int>(received));
}

// The frames that are sent again are lost too. Then one frame tells whether there is
// a way, and the others follow it. The question is answered though it is not repeated.
TEST(SessionLiveness, AGapThatIsShownAgainIsAnsweredWithOneFrameLater) {
  SessionPair pair(LargeFlight);
  pair.Connect();
  FillTheWire(&pair);
  GapAsker asker(&pair);
  EXPECT_EQ(asker.Ask(), 28);
  EXPECT_EQ(asker.Ask(), 0);
  pair.now += kGapInterval - absl::Milliseconds(1);
  pair.one.session->Tick(pair.now);
  EXPECT_TRUE(pair.one.Speak().empty());
  pair.now += absl::Milliseconds(1);
  pair.one.session->Tick(pair.now);
  const Strings frames = pair.one.Speak();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(HeaderOf(frames[0]).sequence, 1u);
  EXPECT_NE(HeaderOf(frames[0]).flags & kAckRequest, 0);
  EXPECT_EQ(asker.Ask(/*received_through=*/1), 27);
}

TEST(SessionLiveness, ANewConnectionIsANewChance) {
  SessionPair pair(LargeFlight);
  pair.Connect();
  FillTheWire(&pair);
  GapAsker asker(&pair);
  EXPECT_EQ(asker.Ask(), 28);
  EXPECT_EQ(asker.Ask(), 0);
  pair.one.session->OnConnected(pair.now);
  EXPECT_EQ(pair.one.Speak().size(), 28u);
  EXPECT_EQ(asker.Ask(), 28);
}

TEST(SessionLiveness, LostFramesAreSentAgainInOrder) {
  SessionPair pair;
  pair.Connect();
  Strings sent;
  for (int i = 0; i < 50; ++i) {
    sent.push_back(std::to_string(i));
    pair.one.Append(sent.back());
    pair.one_is_heard = i % 3 != 0;
    pair.Exchange();
  }
  pair.one_is_heard = true;
  pair.Advance(absl::Seconds(5));
  EXPECT_EQ(pair.two.Payloads(), sent);
  EXPECT_GT(pair.one.Stats().frames_retransmitted, 0u);
  EXPECT_TRUE(pair.one.session->Drained());
}

// The receiver reports a gap, so the sender need not wait for its timer.
TEST(SessionLiveness, AGapIsRepairedWithoutTheTimer) {
  SessionPair pair;
  pair.Connect();
  pair.one.Append("lost");
  ASSERT_EQ(pair.one.Speak().size(), 1u);
  pair.one.Append("arrives");
  pair.Exchange();  // no time passes
  EXPECT_EQ(pair.two.Payloads(), (Strings{"lost", "arrives"}));
  EXPECT_EQ(pair.two.Stats().Refused(RefusalReason::kGap), 1u);
}

TEST(SessionLiveness, AProbeRepairsALostTail) {
  SessionPair pair;
  pair.Connect();
  pair.one.Append("lost");
  pair.one.Speak();
  pair.Advance(kProbeTimeout - absl::Milliseconds(20));
  EXPECT_TRUE(pair.two.taken.empty());
  pair.Advance(absl::Milliseconds(40));
  EXPECT_EQ(pair.two.Payloads(), Strings{"lost"});
}

TEST(SessionLiveness, AProbeThatIsLostIsFollowedByAnother) {
  SessionPair pair;
  pair.Connect();
  pair.one_is_heard = false;
  pair.one.Append("lost");
  pair.Advance(kProbeTimeout + absl::Milliseconds(40));
  EXPECT_TRUE(pair.two.taken.empty());
  pair.one_is_heard = true;
  pair.Advance(2 * kProbeTimeout);
  EXPECT_EQ(pair.two.Payloads(), Strings{"lost"});
}

// Where the answer to a probe is lost too, the next one has it again.
TEST(SessionLiveness, AnAnswerThatIsLostIsGivenAgain) {
  SessionPair pair;
  pair.Connect();
  pair.one.Append("lost");
  pair.one.Speak();
  pair.two_is_heard = false;
  pair.Advance(kProbeTimeout + absl::Milliseconds(40));
  EXPECT_TRUE(pair.two.taken.empty());
  pair.two_is_heard = true;
  pair.Advance(2 * kProbeTimeout);
  EXPECT_EQ(pair.two.Payloads(), Strings{"lost"});
}

// Late is not lost: a peer that is slow is not made slower.
TEST(SessionLiveness, NothingIsSentAgainToAPeerThatIsOnlySlow) {
  SessionPair pair;
  pair.Connect();
  Strings sent;
  Strings on_the_way;
  for (int i = 0; i < 20; ++i) {
    sent.push_back(std::to_string(i));
    pair.one.Append(sent.back());
    pair.now += kProbeTimeout / 2;
    pair.one.session->Tick(pair.now);
    for (const std::string& frame : pair.one.Speak())
      on_the_way.push_back(frame);
  }
  for (const std::string& frame : on_the_way) pair.two.Hear(frame);
  pair.Advance(absl::Seconds(1));
  EXPECT_EQ(pair.two.Payloads(), sent);
  EXPECT_EQ(pair.one.Stats().frames_retransmitted, 0u);
  EXPECT_EQ(pair.two.Stats().Refused(RefusalReason::kDuplicate), 0u);
  EXPECT_TRUE(pair.one.session->Drained());
}

TEST(SessionLiveness, ANewConnectionSendsAgainWhatMayHaveGoneWithTheOldOne) {
  SessionPair pair;
  pair.Connect();
  pair.one.Append("gone");
  pair.one.Speak();
  pair.one.session->OnDisconnected("reset", pair.now);
  EXPECT_TRUE(pair.one.Speak().empty());
  pair.one.session->OnConnected(pair.now);
  pair.Exchange();
  EXPECT_EQ(pair.two.Payloads(), Strings{"gone"});
  EXPECT_EQ(pair.one.Events(), "up");
  EXPECT_EQ(pair.one.Stats().sessions, 1u);
}

TEST(SessionLiveness, AFrameSentAgainTellsWhatIsSoNow) {
  SessionPair pair;
  pair.Connect();
  pair.one.Append("x");
  const Strings first = pair.one.Speak();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_NE(HeaderOf(first[0]).flags & kHearsYou, 0);
  EXPECT_EQ(HeaderOf(first[0]).received_through, 0u);
  pair.two.Append("y");
  for (const std::string& frame : pair.two.Speak()) pair.one.Hear(frame);
  pair.now += absl::Seconds(1);
  pair.one.session->Tick(pair.now);
  const Strings again = pair.one.Speak();
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(HeaderOf(again[0]).sequence, 1u);
  EXPECT_EQ(HeaderOf(again[0]).received_through, 1u);
  pair.now += pair.one.config.peer_timeout;
  pair.one.session->Tick(pair.now);
  for (const std::string& frame : pair.one.Speak())
    EXPECT_EQ(HeaderOf(frame).flags & kHearsYou, 0);
}

// --- back-pressure: no frame is forgotten because the transport refused it ---

// Everything that the pair says until `end` has said a frame of `kind`; that
// one is not taken.
std::string RefuseTheFirst(SessionPair* pair, SessionEnd* end, FrameKind kind) {
  for (int round = 0; round < 20; ++round) {
    SessionEnd* const other = end == &pair->one ? &pair->two : &pair->one;
    for (Strings frames = end->Speak(1); !frames.empty();
         frames = end->Speak(1)) {
      if (HeaderOf(frames[0]).kind == kind) {
        end->session->FrameNotTaken();
        EXPECT_TRUE(end->Speak().empty());
        return frames[0];
      }
      other->Hear(frames[0]);
    }
    for (const std::string& frame : other->Speak()) end->Hear(frame);
  }
  ADD_FAILURE() << "no such frame";
  return "";
}

TEST(SessionBackPressure, AHelloIsSaidAgain) {
  SessionPair pair;
  pair.one.session->OnConnected(pair.now);
  pair.two.session->OnConnected(pair.now);
  RefuseTheFirst(&pair, &pair.one, FrameKind::kHello);
  pair.one.session->OnWritable();
  pair.Advance(absl::Milliseconds(200));
  EXPECT_TRUE(pair.one.session->up());
  EXPECT_TRUE(pair.two.session->up());
}

TEST(SessionBackPressure, DataAreSentAgainAndNotCountedTwice) {
  SessionPair pair;
  pair.Connect();
  const PeerStats before = pair.one.Stats();
  pair.one.Append("a");
  RefuseTheFirst(&pair, &pair.one, FrameKind::kData);
  EXPECT_EQ(pair.one.Stats().frames_sent, before.frames_sent);
  EXPECT_EQ(pair.one.Stats().bytes_sent, before.bytes_sent);
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
  pair.one.Append("b");
  pair.one.session->OnWritable();
  pair.Exchange();
  EXPECT_EQ(pair.two.Payloads(), (Strings{"a", "b"}));
  EXPECT_EQ(pair.one.Stats().frames_retransmitted, 0u);
}

TEST(SessionBackPressure, AFrameSentAgainIsSentAgain) {
  SessionPair pair;
  pair.Connect();
  pair.one.Append("a");
  pair.one.Speak();
  pair.one.session->OnConnected(pair.now);
  RefuseTheFirst(&pair, &pair.one, FrameKind::kData);
  EXPECT_EQ(pair.one.Stats().frames_retransmitted, 0u);
  pair.one.session->OnWritable();
  pair.Exchange();
  EXPECT_EQ(pair.two.Payloads(), Strings{"a"});
  EXPECT_EQ(pair.one.Stats().frames_retransmitted, 1u);
}

TEST(SessionBackPressure, AnAcknowledgementIsSaidAgainWithItsFlags) {
  SessionPair pair;
  pair.Connect();
  pair.one.Append("lost");
  pair.one.Speak();
  pair.one.Append("shows the gap");
  for (const std::string& frame : pair.one.Speak()) pair.two.Hear(frame);
  const std::string refused =
      RefuseTheFirst(&pair, &pair.two, FrameKind::kControl);
  EXPECT_NE(HeaderOf(refused).flags & kGap, 0);
  pair.two.session->OnWritable();
  pair.Exchange();
  EXPECT_EQ(pair.two.Payloads(), (Strings{"lost", "shows the gap"}));
}

TEST(SessionBackPressure, AProbeIsSaidAgain) {
  SessionPair pair;
  pair.Connect();
  pair.one.Append("arrives");
  for (const std::string& frame : pair.one.Speak()) pair.two.Hear(frame);
  pair.two_is_heard = false;
  pair.Advance(kAckDelay * 2);  // its acknowledgement does not
  pair.now += kProbeTimeout;
  pair.one.session->Tick(pair.now);
  RefuseTheFirst(&pair, &pair.one, FrameKind::kControl);
  pair.two_is_heard = true;
  pair.one.session->OnWritable();
  pair.Exchange();  // no time passes
  EXPECT_TRUE(pair.one.session->AllReceived());
  EXPECT_EQ(pair.one.Stats().frames_retransmitted, 0u);
}

TEST(SessionBackPressure, ARequestIsSaidAgain) {
  SessionPair pair;
  pair.two.consumes = false;
  pair.Connect();
  pair.one.Append("a");
  pair.Exchange();
  pair.one.session->RequestConsumed();
  const std::string refused =
      RefuseTheFirst(&pair, &pair.one, FrameKind::kControl);
  EXPECT_NE(HeaderOf(refused).flags & kConsumeRequest, 0);
  pair.one.session->OnWritable();
  pair.Exchange();
  pair.two.Consume();
  pair.Exchange();
  EXPECT_TRUE(pair.one.session->Drained());
}

TEST(SessionBackPressure, AGoodbyeIsSaidAgain) {
  SessionPair pair;
  pair.Connect();
  pair.one.session->SayGoodbye(GoodbyeReason::kStopped);
  RefuseTheFirst(&pair, &pair.one, FrameKind::kGoodbye);
  EXPECT_EQ(pair.two.Events(), "up");
  pair.one.session->OnWritable();
  pair.Exchange();
  EXPECT_EQ(pair.two.Events(), "up down");
}

}  // namespace
}  // namespace cluster::internal
