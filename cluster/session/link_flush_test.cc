// When a link says that what it had accepted at one moment is settled, and how
// soon it hears of it, whatever is accepted, dropped or begun since.

#include <string>
#include <vector>

#include "cluster/session/large_record.h"
#include "cluster/session/testing/link_pair.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

using Strings = std::vector<std::string>;

void HearAll(const Strings& frames, LinkEnd* end) {
  for (const std::string& frame : frames) end->Hear(frame);
}

TEST(LinkFlush, AnIdleLinkHasNothingToWaitFor) {
  LinkPair pair;
  EXPECT_TRUE(pair.one.link->Settled(pair.one.queue->Mark()));
  pair.Connect();
  pair.one.Append("x");
  pair.Advance(absl::Milliseconds(100));
  EXPECT_TRUE(pair.one.link->Settled(pair.one.queue->Mark()));
}

TEST(LinkFlush, WhatIsAcceptedLaterIsNotWaitedFor) {
  LinkPair pair;
  pair.two.consumes = false;
  pair.Connect();
  for (Lane lane : kLanesByUrgency) {
    pair.one.Append("before", lane);
    const SendMark mark = pair.one.queue->Mark();
    for (int round = 0; round < 5; ++round) {
      pair.Exchange();
      pair.one.Append("later", lane);
    }
    EXPECT_FALSE(pair.one.link->Settled(mark));
    pair.two.Consume(1);
    pair.Advance(2 * kAckDelay);
    EXPECT_TRUE(pair.one.link->Settled(mark)) << LaneName(lane);
    EXPECT_FALSE(pair.one.link->Drained());
    pair.two.Consume();
    pair.Advance(2 * kAckDelay);
  }
}

TEST(LinkFlush, EachLaneIsWaitedFor) {
  LinkPair pair;
  pair.two.consumes = false;
  pair.Connect();
  for (Lane lane : kLanesByUrgency) pair.one.Append("x", lane);
  const SendMark mark = pair.one.queue->Mark();
  pair.Exchange();
  for (std::size_t taken = 0; taken < kLanes; ++taken) {
    EXPECT_FALSE(pair.one.link->Settled(mark)) << taken;
    pair.two.Consume(1);
    pair.Advance(2 * kAckDelay);
    for (int i = 0; i < 3; ++i) pair.one.Append("later", Lane::kUrgent);
    pair.Exchange();
  }
  EXPECT_TRUE(pair.one.link->Settled(mark));
}

TEST(LinkFlush, LaterDropsDoNotPassForEarlierAcknowledgements) {
  LinkPair pair([](LinkConfig* config) {
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
  EXPECT_FALSE(pair.one.link->Settled(mark));
  pair.two.Consume(2);
  pair.Advance(2 * kAckDelay);
  EXPECT_EQ(pair.one.Stats().acknowledged, 2u);
  EXPECT_FALSE(pair.one.link->Settled(mark));
  pair.two.Consume(1);
  pair.Advance(2 * kAckDelay);
  EXPECT_TRUE(pair.one.link->Settled(mark));
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
}

TEST(LinkFlush, WhatOverflowsIsSettled) {
  LinkPair pair([](LinkConfig* config) {
    config->overflow = Overflow::kDropOldest;
    config->queue_bytes_max = 8 << 10;
  });
  for (int i = 0; i < 5; ++i) pair.one.Append("before");
  const SendMark mark = pair.one.queue->Mark();
  EXPECT_FALSE(pair.one.link->Settled(mark));
  for (int i = 0; i < 50; ++i) pair.one.Append(std::string(400, 'x'));
  ASSERT_GE(pair.one.Stats().Dropped(DropReason::kOverflow), 5u);
  EXPECT_TRUE(pair.one.link->Settled(mark));
}

TEST(LinkFlush, WhatIsTooLargeForThePeerIsSettled) {
  LinkPair pair;
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
  pair.one.link->RequestConsumed();
  pair.Connect();
  ASSERT_EQ(pair.one.Stats().Dropped(DropReason::kTooLarge), 10u);
  EXPECT_FALSE(pair.one.link->Settled(mark));
  // At once, without time passing.
  pair.two.Consume();
  pair.Exchange();
  EXPECT_TRUE(pair.one.link->Settled(mark));
}

// The batch is left with what comes after the mark.
TEST(LinkFlush, APartOfABatchThatIsTooLargeIsSettledByItself) {
  LinkPair pair;
  pair.two.config.payload_bytes_max = 100;
  pair.two.Restart(2000);
  pair.two.consumes = false;
  pair.one.Append(std::string(200, 'x'));
  const SendMark mark = pair.one.queue->Mark();
  pair.one.Append("small");
  pair.Connect();
  ASSERT_EQ(pair.one.Stats().in_flight, 1u);
  EXPECT_TRUE(pair.one.link->Settled(mark));
}

TEST(LinkFlush, WhatIsAbandonedIsSettled) {
  LinkPair pair;
  pair.two.consumes = false;
  pair.Connect();
  for (int i = 0; i < 20; ++i) {
    pair.one.Append("x");
    pair.one.Speak();
  }
  const SendMark mark = pair.one.queue->Mark();
  EXPECT_FALSE(pair.one.link->Settled(mark));
  pair.one.link->Abandon(DropReason::kStopped);
  EXPECT_TRUE(pair.one.link->Settled(mark));
}

// Small and large, consumed in part, on their way, cut in part and queued.
void Some(LinkPair* pair) {
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

TEST(LinkFlush, WhatIsSentAgainToANewProcessIsWaitedFor) {
  LinkPair pair;
  Some(&pair);
  const SendMark mark = pair.one.queue->Mark();
  pair.one.link->RequestConsumed();
  pair.Reborn(&pair.two, 2002);
  pair.one.Append("later", Lane::kBulk);
  pair.Exchange();
  while (pair.two.Pending() > 1) {
    ASSERT_FALSE(pair.one.link->Settled(mark));
    pair.two.Consume(1);
    pair.Advance(2 * kAckDelay);
  }
  pair.two.Consume(1);
  pair.Advance(2 * kAckDelay);
  EXPECT_TRUE(pair.one.link->Settled(mark));
}

TEST(LinkFlush, WhatANewSessionDropsIsSettled) {
  LinkPair pair([](LinkConfig* config) {
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
  EXPECT_TRUE(pair.one.link->Settled(mark));
}

TEST(LinkFlush, ConsumptionIsToldAtOnceUnderSteadyTraffic) {
  LinkPair pair;
  pair.two.consumes = false;
  pair.Connect();
  pair.one.Append("before");
  pair.Exchange();
  const SendMark mark = pair.one.queue->Mark();
  pair.one.link->RequestConsumed();
  pair.Exchange();
  for (int i = 0; i < 5; ++i) {
    pair.one.Append("later");
    pair.Exchange();
  }
  EXPECT_FALSE(pair.two.link->AckDue());
  pair.two.Consume(1);
  EXPECT_TRUE(pair.two.link->AckDue());
  pair.Exchange();
  EXPECT_TRUE(pair.one.link->Settled(mark));
}

// Even of what has to wait before it is transmitted, behind which there is
// always more.
TEST(LinkFlush, ConsumptionOfWhatIsQueuedIsToldAtOnceUnderSteadyTraffic) {
  LinkPair pair;
  pair.two.consumes = false;
  pair.Connect();
  for (int i = 0; i < 100; ++i) pair.one.Append(std::string(300, 'b'));
  const Strings first = pair.one.Speak();
  ASSERT_GT(pair.one.Stats().queued, 0u);
  const SendMark mark = pair.one.queue->Mark();
  pair.one.link->RequestConsumed();
  for (int i = 0; i < 100; ++i) pair.one.Append(std::string(300, 'l'));
  HearAll(first, &pair.two);
  pair.Exchange();
  ASSERT_GT(pair.one.Stats().queued, 0u);
  while (!pair.one.link->Settled(mark)) {
    ASSERT_GT(pair.two.Pending(), 0);
    pair.two.Consume(1);  // no time passes
    pair.Exchange();
  }
  EXPECT_FALSE(pair.one.link->Drained());
}

// One comes with each round, and the application is always three arrivals
// behind: a goal that moved with each request would never be reached.
TEST(LinkFlush, RequestsDoNotPutEachOtherOff) {
  LinkPair pair;
  pair.two.consumes = false;
  pair.Connect();
  int told = 0;
  for (int i = 0; i < 50; ++i) {
    pair.one.Append("x");
    pair.Exchange();
    pair.one.link->RequestConsumed();
    pair.Exchange();
    if (pair.two.Pending() <= 3) continue;
    pair.two.Consume(1);
    if (pair.two.link->AckDue()) ++told;
    pair.Exchange();
  }
  EXPECT_GE(told, 10);
}

TEST(LinkFlush, AQueueThatIsNeverEmptyDoesNotPutARequestOff) {
  LinkPair pair;
  pair.Connect();
  for (int i = 0; i < 20; ++i) pair.one.Append(std::string(300, 'x'));
  int asked = 0;
  for (int i = 0; i < 50; ++i) {
    pair.one.link->RequestConsumed();
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

TEST(LinkFlush, ARequestThatWasLostIsSaidAgain) {
  LinkPair pair;
  pair.two.consumes = false;
  pair.Connect();
  for (int i = 0; i < 2; ++i) {
    pair.one.Append("x");
    pair.one.Speak();  // lost
  }
  const SendMark mark = pair.one.queue->Mark();
  pair.one.link->RequestConsumed();
  ASSERT_NE(HeaderOf(pair.one.Speak()[0]).flags & kConsumeRequest, 0);
  pair.one.link->OnDisconnected("cut");
  pair.one.link->OnConnected(pair.now);
  pair.Exchange();
  ASSERT_EQ(pair.two.Pending(), 2);
  pair.two.Consume(1);
  pair.Exchange();
  EXPECT_FALSE(pair.one.link->Settled(mark));
  pair.two.Consume(1);
  pair.Exchange();  // no time passes
  EXPECT_TRUE(pair.one.link->Settled(mark));
}

TEST(LinkFlush, ARequestOutlivesASession) {
  LinkPair pair;
  pair.Connect();
  pair.one.Append("x");
  pair.one.Speak();  // lost
  const SendMark mark = pair.one.queue->Mark();
  pair.one.link->RequestConsumed();
  pair.one.Speak();
  pair.two.consumes = false;
  pair.Reborn(&pair.two, 2002);
  ASSERT_EQ(pair.two.Pending(), 1);
  pair.two.Consume();
  pair.Exchange();  // no time passes
  EXPECT_TRUE(pair.one.link->Settled(mark));
}

// A request that the transport did not take must not come back with a frame
// that is before what it asks for.
TEST(LinkFlush, ARequestRidesOnNoEarlierFrame) {
  LinkPair pair;
  pair.two.consumes = false;
  pair.Connect();
  for (int i = 0; i < 40; ++i) pair.one.Append(std::string(300, 'x'));
  const SendMark mark = pair.one.queue->Mark();
  pair.one.link->RequestConsumed();
  Frame frame;
  while (pair.one.Stats().queued > 0) {
    ASSERT_TRUE(pair.one.link->NextFrame(pair.now, &frame));
    if (pair.one.Stats().queued > 0) pair.two.Hear(BytesOf(frame));
    HearAll(pair.two.Speak(), &pair.one);
  }
  ASSERT_NE(HeaderOf(BytesOf(frame)).flags & kConsumeRequest, 0);
  pair.one.link->FrameNotTaken();
  pair.one.link->OnWritable();
  pair.Exchange();
  pair.two.Consume();
  pair.Exchange();  // no time passes
  EXPECT_TRUE(pair.one.link->Settled(mark));
}

}  // namespace
}  // namespace cluster
