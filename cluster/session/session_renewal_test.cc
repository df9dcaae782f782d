// Sessions of two sessions: how they begin, replays, and breaches of the protocol.
// session_restart_test.cc has the envelopes that were on their way.

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/session/testing/session_pair.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using Strings = std::vector<std::string>;

TEST(SessionRenewal, UpComesFirst) {
  SessionPair pair;
  pair.one.Append("x");
  pair.Connect();
  EXPECT_EQ(pair.one.Events(), "up");
  EXPECT_EQ(pair.two.Events(), "up");
  EXPECT_EQ(pair.one.Stats().sessions, 1u);
  EXPECT_EQ(pair.one.session->id(), pair.two.session->id());
}

TEST(SessionRenewal, ReplayedFramesChangeNothing) {
  SessionPair pair;
  Strings of_one;
  pair.one.session->OnConnected(pair.now);
  pair.two.session->OnConnected(pair.now);
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
  const std::uint64_t session = pair.two.session->id();
  for (int round = 0; round < 3; ++round) {
    for (const std::string& frame : of_one) pair.two.Hear(frame);
    pair.Advance(absl::Milliseconds(100));
  }
  EXPECT_EQ(pair.two.Payloads(), Strings{"once"});
  EXPECT_EQ(pair.two.session->id(), session);
  EXPECT_EQ(pair.one.session->id(), session);
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

TEST(SessionRenewal, AnAcknowledgementOfTheUnsentBreaksTheSession) {
  SessionPair pair;
  pair.Connect();
  const std::uint64_t session = pair.one.session->id();
  pair.one.Append("x");
  pair.one.Speak();  // on its way
  pair.two.session->Tick(pair.now += absl::Seconds(1));
  const Strings frames = pair.two.Speak();
  ASSERT_FALSE(frames.empty());
  pair.one.Hear(Forged(
      frames[0], [](FrameHeader* header) { header->received_through = 2; }));
  EXPECT_EQ(pair.one.Stats().Refused(RefusalReason::kImpossibleAck), 1u);
  EXPECT_EQ(pair.one.Events(), "up down");
  pair.Advance(absl::Milliseconds(200));
  EXPECT_EQ(pair.one.Events(), "up down restarted up");
  EXPECT_NE(pair.one.session->id(), session);
  EXPECT_EQ(pair.one.session->id(), pair.two.session->id());
  EXPECT_EQ(pair.one.Stats().Dropped(DropReason::kPeerRestart), 1u);
  EXPECT_TRUE(AddsUp(pair.one.Stats()));
}

TEST(SessionRenewal, AnImpossibleAcknowledgementOfAnotherSessionBreaksNothing) {
  SessionPair pair;
  pair.Connect();
  pair.two.session->Tick(pair.now += absl::Seconds(1));
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
void ExceedTheWindow(SessionPair* pair, bool in_parts) {
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
    header.session = pair->two.session->id();
    header.sequence = ++sequence;
    header.records = 1;
    if (in_parts && sequence > 1) {
      header.records = sequence == 2 ? 1 : 0;
      header.chunk = sequence == 2 ? ChunkState::kFirst : ChunkState::kMiddle;
      header.chunk_total_bytes = pair->two.config.payload_bytes_max;
    }
    pair->two.session->OnFrame(header, MakeSlice(body), pair->now);
  }
  EXPECT_LE((sequence - 1) * FrameCharge(body.size()),
            pair->two.config.window_bytes);
  EXPECT_EQ(pair->two.Events(), "up down");
  EXPECT_EQ(pair->two.session->id(), 0u);
}

TEST(SessionRenewal, ASenderThatExceedsTheWindowLosesItsSession) {
  SessionPair pair;
  pair.two.consumes = false;
  pair.Connect();
  ExceedTheWindow(&pair, /*in_parts=*/false);
}

TEST(SessionRenewal, ASenderThatExceedsTheWindowByPartsLosesItsSession) {
  SessionPair pair;
  pair.two.consumes = false;
  pair.Connect();
  ExceedTheWindow(&pair, /*in_parts=*/true);
}

TEST(SessionRenewal, FramesForOthersAreRefused) {
  SessionPair pair;
  pair.Connect();
  pair.one.Append("x");
  const Strings frames = pair.one.Speak();
  ASSERT_EQ(frames.size(), 1u);
  pair.two.Hear(Forged(
      frames[0], [](FrameHeader* header) { header->destination_id = 3; }));
  EXPECT_EQ(pair.two.Stats().Refused(RefusalReason::kWrongDestination), 1u);
  EXPECT_TRUE(pair.two.taken.empty());
  EXPECT_EQ(pair.two.Events(), "up rejected");
  EXPECT_EQ(pair.two.events[1].reason,
            "wrong destination: server 1 sent a frame for server 3 to this "
            "server, 2: its address of server 3 leads here");
}

// Both sides refuse each other, and each learns both of it.
void ExpectRefused(SessionEnd* end, RefusalReason reason,
                   const std::string& why) {
  EXPECT_FALSE(end->session->up());
  EXPECT_GT(end->Stats().Refused(reason), 0u);
  const std::string refuses =
      absl::StrCat("server ", end->config.peer_id, " refuses this server: ");
  Strings told;
  for (const PeerEvent& event : end->events) {
    EXPECT_EQ(event.type, PeerEvent::kRejected);
    EXPECT_EQ(event.peer, end->config.peer_id);
    told.push_back(event.reason);
  }
  EXPECT_THAT(told, testing::Contains(testing::HasSubstr(why)));
  EXPECT_THAT(told, testing::Contains(testing::AllOf(
                        testing::StartsWith(refuses),
                        testing::HasSubstr(RefusalReasonName(reason)))));
}

TEST(SessionRenewal, OtherClustersAreRefusedAndKnowIt) {
  SessionPair pair;
  pair.two.config.cluster = "an\nother";
  pair.two.Restart(2002);
  pair.Connect();
  pair.Advance(absl::Seconds(1));
  ExpectRefused(&pair.one, RefusalReason::kWrongCluster,
                "wrong cluster: server 1 is of \"test\", server 2 of "
                "\"an\\x0aother\"");
  ExpectRefused(&pair.two, RefusalReason::kWrongCluster,
                "wrong cluster: server 2 is of \"an\\x0aother\", server 1 of "
                "\"test\"");
}

TEST(SessionRenewal, ServersWithoutACommonVersionRefuseEachOtherAndKnowIt) {
  SessionPair pair;
  pair.two.config.versions = {3, 5};
  pair.two.Restart(2002);
  pair.Connect();
  pair.Advance(absl::Seconds(1));
  ExpectRefused(&pair.one, RefusalReason::kVersion,
                "no version in common: server 1 speaks 2, server 2 3 to 5");
  ExpectRefused(&pair.two, RefusalReason::kVersion,
                "no version in common: server 2 speaks 3 to 5, server 1 2");
  EXPECT_THAT(pair.one.Stats().last_trouble, testing::HasSubstr("3 to 5"));
}

TEST(SessionRenewal, AServerThatSpeaksMoreIsSpokenToInTheCommonVersion) {
  SessionPair pair;
  pair.two.config.versions = {2, 9};
  pair.two.Restart(2002);
  pair.Connect();
  pair.two.Append("new to old");
  const Strings frames = pair.two.Speak();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(HeaderOf(frames[0]).version, 2);
  pair.one.Hear(frames[0]);
  pair.one.Append("old to new");
  pair.Exchange();
  EXPECT_EQ(pair.one.Payloads(), Strings{"new to old"});
  EXPECT_EQ(pair.two.Payloads(), Strings{"old to new"});
}

TEST(SessionRenewal, AFrameOfAnotherVersionThanItsSessionsIsRefused) {
  SessionPair pair;
  pair.Connect();
  FrameHeader header;
  header.version = 3;
  header.sender_id = 1;
  header.destination_id = 2;
  header.session = pair.two.session->id();
  header.received_through = 1000;  // of the unsent, if anybody believed it
  pair.two.session->OnFrame(header, Slice(), pair.now);
  EXPECT_EQ(pair.two.Stats().Refused(RefusalReason::kVersion), 1u);
  EXPECT_EQ(pair.two.Events(), "up rejected");
  EXPECT_EQ(pair.two.session->id(), header.session);
}

int Refusals(const Strings& frames) {
  int count = 0;
  for (const std::string& frame : frames)
    count += HeaderOf(frame).kind == FrameKind::kRefusal;
  return count;
}

// Version 1 is answered too; its frames have nothing but their header in common
// with ours.
TEST(SessionRenewal, AVersionOfBeforeIsRefusedAndNotMoreOftenThanTheInterval) {
  SessionPair pair;
  pair.one.session->OnConnected(pair.now);
  FrameHeader header;
  header.version = 1;
  header.kind = FrameKind::kHello;
  header.sender_id = 2;
  header.destination_id = 1;
  int refusals = 0;
  for (int i = 0; i < 1000; ++i) {
    pair.one.session->OnForeignVersion(header, pair.now);
    refusals += Refusals(pair.one.Speak());
    pair.now += absl::Milliseconds(10);
  }
  EXPECT_EQ(refusals, 10);
  EXPECT_EQ(pair.one.events.size(), 4u);  // after 0, 1, 3 and 7 seconds
  EXPECT_EQ(pair.one.events[0].reason,
            "no version in common: server 1 speaks 2, server 2 1");
  EXPECT_EQ(pair.one.Stats().Refused(RefusalReason::kVersion), 1000u);
  // One that is for somebody else is not.
  header.destination_id = 3;
  pair.now += kRefusalInterval;
  pair.one.session->OnForeignVersion(header, pair.now);
  EXPECT_EQ(Refusals(pair.one.Speak()), 0);
}

// Only a peer that heard our hello can refuse it.
TEST(SessionRenewal, ARefusalThatEchoesNothingSaysNothing) {
  SessionPair pair;
  pair.Connect();
  FrameHeader header;
  header.kind = FrameKind::kRefusal;
  header.sender_id = 2;
  header.destination_id = 1;
  Refusal refusal;
  refusal.text = "go away";
  for (const std::uint64_t nonce : {0, 12345}) {
    refusal.echo_nonce = nonce;
    pair.one.session->OnFrame(header, MakeSlice(EncodeRefusal(refusal)),
                              pair.now);
  }
  pair.one.session->OnFrame(header, MakeSlice("no entry"), pair.now);
  EXPECT_EQ(pair.one.Events(), "up rejected");
  EXPECT_EQ(pair.one.Stats().last_trouble,
            "malformed: a refusal that does not parse");
  EXPECT_EQ(pair.one.Stats().Refused(RefusalReason::kUnknownSession), 2u);
  EXPECT_EQ(pair.one.Stats().Refused(RefusalReason::kMalformed), 1u);
}

// The first hello that `end` says; its body is then `change`d.
std::string FirstHello(SessionPair* pair, SessionEnd* end,
                       const std::function<std::string(std::string)>& change) {
  end->session->OnConnected(pair->now);
  const std::string frame = end->Speak().at(0);
  FrameHeader header = HeaderOf(frame);
  const std::string body = change(frame.substr(kFrameHeaderBytes));
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  header.body_crc = Crc32c(body);
  std::string changed(kFrameHeaderBytes, '\0');
  EncodeFrameHeader(header, &changed[0]);
  return changed + body;
}

TEST(SessionRenewal, AHelloWithEntriesOfALaterVersionIsHeard) {
  SessionPair pair;
  pair.two.session->OnConnected(pair.now);
  pair.two.Hear(FirstHello(&pair, &pair.one, [](std::string body) {
    return std::string("\x63\0\3\0new", 7) + body;
  }));
  EXPECT_EQ(pair.two.Stats().Refused(RefusalReason::kMalformed), 0u);
  pair.Exchange();
  EXPECT_TRUE(pair.two.session->up());
}

TEST(SessionRenewal, AHelloCutShortOrDoubledIsRefused) {
  for (const bool doubled : {false, true}) {
    SessionPair pair;
    pair.two.Hear(FirstHello(&pair, &pair.one, [doubled](std::string body) {
      return doubled ? body + body : body.substr(0, body.size() - 1);
    }));
    EXPECT_EQ(pair.two.Stats().Refused(RefusalReason::kMalformed), 1u);
    EXPECT_TRUE(pair.two.Speak().empty());
  }
}

// The window is no larger than our own, whatever the peer claims.
TEST(SessionRenewal, APeerCannotMakeTheWindowLarger) {
  SessionPair pair;
  pair.two.config.window_bytes = std::size_t{1} << 40;
  pair.two.Restart(2002);
  pair.two.consumes = false;
  pair.Connect();
  for (int i = 0; i < 3000; ++i) {
    pair.one.Append(std::string(100, 'x'));
    pair.Exchange();
  }
  EXPECT_LE(pair.one.Stats().unconsumed_bytes, pair.one.config.window_bytes);
  EXPECT_GT(pair.one.Stats().queued, 0u);
}

TEST(SessionRenewal, RecordsThatMakeNoSenseCostTheSession) {
  SessionPair pair;
  pair.Connect();
  const std::uint64_t session = pair.two.session->id();
  pair.two.session->RejectRecords(session ^ 1, RefusalReason::kBadRecord,
                                  "of an earlier session");
  EXPECT_EQ(pair.two.session->id(), session);
  pair.two.session->RejectRecords(session, RefusalReason::kBadRecord,
                                  "nonsense");
  EXPECT_EQ(pair.two.session->id(), 0u);
  pair.Advance(absl::Milliseconds(200));
  EXPECT_EQ(pair.two.Events(), "up rejected down restarted up");
  EXPECT_EQ(pair.two.Stats().Refused(RefusalReason::kBadRecord), 2u);
}

TEST(SessionRenewal, ChunksAmidAnotherRecordCostTheSession) {
  SessionPair pair([](SessionConfig* config) {
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

// Consumption in an old session says nothing about the new one.
TEST(SessionRenewal, ConsumedOfAnEarlierSessionIsIgnored) {
  SessionPair pair;
  pair.Connect();
  pair.two.consumes = false;
  pair.one.Append("old");
  pair.Exchange();
  ASSERT_EQ(pair.two.Pending(), 1);
  const std::uint64_t old = pair.two.session->id();
  pair.Reborn(&pair.one, 1002);
  pair.one.Append("new");
  pair.Exchange();
  ASSERT_EQ(pair.two.Pending(), 2);
  pair.two.session->Consumed(old, 1);
  pair.Advance(absl::Milliseconds(100));
  EXPECT_EQ(pair.one.Stats().acknowledged, 0u);
  pair.two.Consume();
  pair.Advance(absl::Milliseconds(100));
  EXPECT_EQ(pair.one.Stats().acknowledged, 1u);
}

}  // namespace
}  // namespace cluster::internal
