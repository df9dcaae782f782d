// When a session calls a mark of its queue settled, and how soon, whatever it
// accepts, drops or begins after the mark.

#include <string>
#include <vector>

#include "cluster/session/batch.h"
#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using Strings = std::vector<std::string>;

void HearAll(const Strings& frames, SessionEnd* end) {
  for (const std::string& frame : frames) end->Hear(frame);
}

TEST(SessionFlush, AnIdleSessionHasNothingToWaitFor) {
  SessionPair pair;
  EXPECT_TRUE(pair.one.session->Settled(pair.one.queue->Mark()));
  pair.Connect();
  pair.one.Append("x");
  pair.Advance(absl::Milliseconds(100));
  EXPECT_TRUE(pair.one.session->Settled(pair.one.queue->Mark()));
}

TEST(SessionFlush, WhatIsAcceptedLaterIsNotWaitedFor) {
  SessionPair pair;
  pair.two.consumes = false;
  pair.Connect();
  for (Lane lane : kLanesByUrgency) {
    pair.one.Append("before", lane);
    const SendMark mark = pair.one.queue->Mark();
    for (int round = 0; round < 5; ++round) {
      pair.Exchange();
      pair.one.Append("later", lane);
    }
    EXPECT_FALSE(pair.one.session->Settled(mark));
    pair.two.Consume(1);
    pair.Advance(2 * kAckDelay);
    EXPECT_TRUE(pair.one.session->Settled(mark)) << LaneName(lane);
    EXPECT_FALSE(pair.one.session->Drained());
    pair.two.Consume();
    pair.Advance(2 * kAckDelay);
  }
}

TEST(SessionFlush, EachLaneIsWaitedFor) {
  SessionPair pair;
  pair.two.consumes = false;
  pair.Connect();
  for (Lane lane : kLanesByUrgency) pair.one.Append("x", lane);
  const SendMark mark = pair.one.queue->Mark();
  pair.Exchange();
  for (std::size_t taken = 0; taken < kLanes; ++taken) {
    EXPECT_FALSE(pair.one.session->Settled(mark)) << taken;
    pair.two.Consume(1);
    pair.Advance(2 * kAckDelay);
    for (int i = 0; i < 3; ++i) pair.one.Append("later", Lane::kUrgent);
    pair.Exchange();
  }
  EXPECT_TRUE(pair.one.session->Settled(mark));
}

TEST(SessionFlush, LaterDropsDoNotPassForEarlierAcknowledgements) {
  SessionPair pair([](SessionConfig* config) {
    config->overflow = Overflow::kDropOldest;
    config->queue_bytes_max = 8 << 10;
  });
  pair.two.consumes = false;
  pair.Connect();
  for (int i = 0; i < 3; ++i) {
    pair.one.Append("before");
    pair.Exchange();
  }
  const SendMark mark = pair.one.queue->Mark();
  ASSERT_EQ(pair.one.Stats().in_flight, 3u);
  pair.one_is_heard = false;
  for (int i = 0; i < 500; ++i) pair.one.Append(std::string(400, 'x'));
  ASSERT_GT(pair.one.Stats().Dropped(DropReason::kOverflow), 100u);
  EXPECT_FALSE(pair.one.session->Settled(mark));
  pair.two.Consume(2);
  pair.Advance(2 * kAckDelay);
  EXPECT_EQ(pair.one.Stats().acknowledged, 2u);
  EXPECT_FALSE(pair.one.session->Settled(mark));
  pair.two.Consume(1);
  pair.Advance(2 * kAckDelay);
  EXPECT_TRUE(pair.one.session->Settled(mark));
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
}

TEST(SessionFlush, WhatOverflowsIsSettled) {
  SessionPair pair([](SessionConfig* config) {
    config->overflow = Overflow::kDropOldest;
    config->queue_bytes_max = 8 << 10;
  });
  for (int i = 0; i < 5; ++i) pair.one.Append("before");
  const SendMark mark = pair.one.queue->Mark();
  EXPECT_FALSE(pair.one.session->Settled(mark));
  for (int i = 0; i < 50; ++i) pair.one.Append(std::string(400, 'x'));
  ASSERT_GE(pair.one.Stats().Dropped(DropReason::kOverflow), 5u);
  EXPECT_TRUE(pair.one.session->Settled(mark));
}

TEST(SessionFlush, WhatIsTooLargeForThePeerIsSettled) {
  SessionPair pair;
  pair.two.config.payload_bytes_max = 100;
  pair.two.Restart(2000);
  pair.two.consumes = false;
  for (Lane lane : kLanesByUrgency) {
    pair.one.Append("small", lane);
    for (int i = 0; i < 3; ++i) pair.one.Append(std::string(200, 'x'), lane);
  }
  // The last of all, and no frame follows that could ask.
  pair.one.Append(std::string(5000, 'x'), Lane::kBulk);
  const SendMark mark = pair.one.queue->Mark();
  pair.one.session->RequestConsumed();
  pair.Connect();
  ASSERT_EQ(pair.one.Stats().Dropped(DropReason::kTooLarge), 10u);
  EXPECT_FALSE(pair.one.session->Settled(mark));
  // At once, without time passing.
  pair.two.Consume();
  pair.Exchange();
  EXPECT_TRUE(pair.one.session->Settled(mark));
}

// The batch is left with what comes after the mark.
TEST(SessionFlush, APartOfABatchThatIsTooLargeIsSettledByItself) {
  SessionPair pair;
  pair.two.config.payload_bytes_max = 100;
  pair.two.Restart(2000);
  pair.two.consumes = false;
  pair.one.Append(std::string(200, 'x'));
  const SendMark mark = pair.one.queue->Mark();
  pair.one.Append("small");
  pair.Connect();
  ASSERT_EQ(pair.one.Stats().in_flight, 1u);
  EXPECT_TRUE(pair.one.session->Settled(mark));
}

TEST(SessionFlush, WhatIsAbandonedIsSettled) {
  SessionPair pair;
  pair.two.consumes = false;
  pair.Connect();
  for (int i = 0; i < 20; ++i) {
    pair.one.Append("x");
    pair.one.Speak();
  }
  const SendMark mark = pair.one.queue->Mark();
  EXPECT_FALSE(pair.one.session->Settled(mark));
  pair.one.session->Abandon(DropReason::kStopped);
  EXPECT_TRUE(pair.one.session->Settled(mark));
}

// Small and large, consumed in part, on their way, cut in part and queued.
void Some(SessionPair* pair) {
  pair->two.consumes = false;
  pair->Connect();
  for (int i = 0; i < 90; ++i) {
    pair->one.Append(std::string(i % 10 == 9 ? 6000 : 50, 'x'),
                     static_cast<Lane>(i % kLanes));
    if (i == 10) {
      pair->Exchange();
      pair->two.Consume();
      pair->Advance(absl::Milliseconds(50));
    }
    if (i % 4 == 0) pair->one.Speak(1);  // lost
  }
  ASSERT_GT(pair->one.Stats().in_flight, 0u);
  ASSERT_GT(pair->one.Stats().queued, 0u);
}

TEST(SessionFlush, WhatIsSentAgainToANewProcessIsWaitedFor) {
  SessionPair pair;
  Some(&pair);
  const SendMark mark = pair.one.queue->Mark();
  pair.one.session->RequestConsumed();
  pair.Reborn(&pair.two, 2002);
  pair.one.Append("later", Lane::kBulk);
  pair.Exchange();
  while (pair.two.Pending() > 1) {
    ASSERT_FALSE(pair.one.session->Settled(mark));
    pair.two.Consume(1);
    pair.Advance(2 * kAckDelay);
  }
  pair.two.Consume(1);
  pair.Advance(2 * kAckDelay);
  EXPECT_TRUE(pair.one.session->Settled(mark));
}

TEST(SessionFlush, WhatANewSessionDropsIsSettled) {
  SessionPair pair([](SessionConfig* config) {
    config->on_peer_restart = OnPeerRestart::kDrop;
  });
  pair.two.consumes = false;
  pair.Connect();
  pair.one.Append("before");
  pair.one.Speak();
  const SendMark mark = pair.one.queue->Mark();
  for (int i = 0; i < 5; ++i) {
    pair.one.Append("later");
    pair.one.Speak(1);
  }
  pair.Reborn(&pair.two, 2002);
  ASSERT_GT(pair.one.Stats().Dropped(DropReason::kPeerRestart), 0u);
  EXPECT_TRUE(pair.one.session->Settled(mark));
}

TEST(SessionFlush, ConsumptionIsToldAtOnceUnderSteadyTraffic) {
  SessionPair pair;
  pair.two.consumes = false;
  pair.Connect();
  pair.one.Append("before");
  pair.Exchange();
  const SendMark mark = pair.one.queue->Mark();
  pair.one.session->RequestConsumed();
  pair.Exchange();
  for (int i = 0; i < 5; ++i) {
    pair.one.Append("later");
    pair.Exchange();
  }
  EXPECT_TRUE(pair.two.Speak().empty());
  EXPECT_FALSE(pair.one.session->Settled(mark));
  pair.two.Consume(1);
  pair.Exchange();  // no time passes
  EXPECT_TRUE(pair.one.session->Settled(mark));
}

// Even of what has to wait before it is transmitted, behind which there is
// always more.
TEST(SessionFlush, ConsumptionOfWhatIsQueuedIsToldAtOnceUnderSteadyTraffic) {
  SessionPair pair;
  pair.two.consumes = false;
  pair.Connect();
  for (int i = 0; i < 100; ++i) pair.one.Append(std::string(300, 'b'));
  const Strings first = pair.one.Speak();
  ASSERT_GT(pair.one.Stats().queued, 0u);
  const SendMark mark = pair.one.queue->Mark();
  pair.one.session->RequestConsumed();
  for (int i = 0; i < 100; ++i) pair.one.Append(std::string(300, 'l'));
  HearAll(first, &pair.two);
  pair.Exchange();
  ASSERT_GT(pair.one.Stats().queued, 0u);
  while (!pair.one.session->Settled(mark)) {
    ASSERT_GT(pair.two.Pending(), 0);
    pair.two.Consume(1);  // no time passes
    pair.Exchange();
  }
  EXPECT_FALSE(pair.one.session->Drained());
}

// One comes with each round, and the application is always three arrivals
// behind: a goal that moved with each request would never be reached.
TEST(SessionFlush, RequestsDoNotPutEachOtherOff) {
  SessionPair pair;
  pair.two.consumes = false;
  pair.Connect();
  int told = 0;
  for (int i = 0; i < 50; ++i) {
    pair.one.Append("x");
    pair.Exchange();
    pair.one.session->RequestConsumed();
    pair.Exchange();
    if (pair.two.Pending() <= 3) continue;
    pair.two.Consume(1);
    const Strings answers = pair.two.Speak();
    if (!answers.empty()) ++told;
    HearAll(answers, &pair.one);
    pair.Exchange();
  }
  EXPECT_GE(told, 10);
}

TEST(SessionFlush, AQueueThatIsNeverEmptyDoesNotPutARequestOff) {
  SessionPair pair;
  pair.Connect();
  for (int i = 0; i < 20; ++i) pair.one.Append(std::string(300, 'x'));
  int asked = 0;
  for (int i = 0; i < 50; ++i) {
    pair.one.session->RequestConsumed();
    for (int j = 0; j < 10; ++j) pair.one.Append(std::string(300, 'x'));
    for (const std::string& frame : pair.one.Speak(2)) {
      if (HeaderOf(frame).flags & kConsumeRequest) ++asked;
      pair.two.Hear(frame);
    }
    HearAll(pair.two.Speak(), &pair.one);
    ASSERT_GT(pair.one.Stats().queued, 0u);
  }
  EXPECT_GE(asked, 3);
}

TEST(SessionFlush, ARequestThatWasLostIsSaidAgain) {
  SessionPair pair;
  pair.two.consumes = false;
  pair.Connect();
  for (int i = 0; i < 2; ++i) {
    pair.one.Append("x");
    pair.one.Speak();  // lost
  }
  const SendMark mark = pair.one.queue->Mark();
  pair.one.session->RequestConsumed();
  ASSERT_NE(HeaderOf(pair.one.Speak()[0]).flags & kConsumeRequest, 0);
  pair.one.session->OnDisconnected("cut", pair.now);
  pair.one.session->OnConnected(pair.now);
  pair.Exchange();
  ASSERT_EQ(pair.two.Pending(), 2);
  pair.two.Consume(1);
  pair.Exchange();
  EXPECT_FALSE(pair.one.session->Settled(mark));
  pair.two.Consume(1);
  pair.Exchange();  // no time passes
  EXPECT_TRUE(pair.one.session->Settled(mark));
}

TEST(SessionFlush, ARequestOutlivesASession) {
  SessionPair pair;
  pair.Connect();
  pair.one.Append("x");
  pair.one.Speak();  // lost
  const SendMark mark = pair.one.queue->Mark();
  pair.one.session->RequestConsumed();
  pair.one.Speak();
  pair.two.consumes = false;
  pair.Reborn(&pair.two, 2002);
  ASSERT_EQ(pair.two.Pending(), 1);
  pair.two.Consume();
  pair.Exchange();  // no time passes
  EXPECT_TRUE(pair.one.session->Settled(mark));
}

// A request that the transport did not take must not come back with a frame
// that is before what it asks for.
TEST(SessionFlush, ARequestRidesOnNoEarlierFrame) {
  SessionPair pair;
  pair.two.consumes = false;
  pair.Connect();
  for (int i = 0; i < 40; ++i) pair.one.Append(std::string(300, 'x'));
  const SendMark mark = pair.one.queue->Mark();
  pair.one.session->RequestConsumed();
  Frame frame;
  while (pair.one.Stats().queued > 0) {
    ASSERT_TRUE(pair.one.session->NextFrame(pair.now, &frame));
    if (pair.one.Stats().queued > 0) pair.two.Hear(BytesOf(frame));
    HearAll(pair.two.Speak(), &pair.one);
  }
  ASSERT_NE(HeaderOf(BytesOf(frame)).flags & kConsumeRequest, 0);
  pair.one.session->FrameNotTaken();
  pair.one.session->OnWritable();
  pair.Exchange();
  pair.two.Consume();
  pair.Exchange();  // no time passes
  EXPECT_TRUE(pair.one.session->Settled(mark));
}

}  // namespace
}  // namespace cluster::internal
