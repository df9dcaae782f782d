// Sessions of two links: how they begin, replays, and breaches of the protocol.
// What becomes of what was on its way is in link_restart_test.cc.

#include <string>
#include <vector>

#include "cluster/link/link_pair.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

using Strings = std::vector<std::string>;

TEST(LinkSession, UpComesFirst) {
  LinkPair pair;
  pair.one.Append("x");
  pair.Connect();
  EXPECT_EQ(pair.one.Events(), "up");
  EXPECT_EQ(pair.two.Events(), "up");
  EXPECT_EQ(pair.one.Stats().sessions, 1u);
  EXPECT_EQ(pair.one.link->session(), pair.two.link->session());
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
  pair.Reborn(&pair.two, 2002);
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
  pair.Reborn(&pair.one, 1002);
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
