// A member breaks the protocol within its own session. The server counts it by
// reason, and ends the session after a breach that it cannot trust any further.
// No other peer notices.

#include "tests/hostile/rogue_member.h"

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cluster/codec/binary/binary.h"
#include "cluster/codec/hello.h"
#include "cluster/server.h"
#include "cluster/transport/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/fresh_address.h"
#include "tests/harness/transports.h"
#include "tests/hostile/forgery.h"
#include "tests/hostile/wire_tap.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr int kVictim = 1;
constexpr int kHonest = 2;
constexpr int kRogue = 9;
constexpr absl::Duration kLong = absl::Seconds(30);

// The effect of a rogue's frame on the server.
enum class Effect {
  kRefused,       // the frame is dropped, the session goes on
  kBroken,        // the session is over
  kBrokenByRead,  // the same, once the application reads the frame
};

std::string Record(int sender, int pid, const std::string& payload) {
  Envelope envelope;
  envelope.message_id = {4711, 1};
  envelope.sender_id = sender;
  envelope.pid = pid;
  envelope.payload = payload;
  std::string record(BinaryCodec().RecordBytesMax(envelope), '\0');
  EncodeState state;
  char* const end = BinaryCodec().AppendRecord(envelope, &state, &record[0]);
  record.resize(static_cast<std::size_t>(end - &record[0]));
  return record;
}

FrameHeader Data(const RogueMember& rogue, std::uint64_t sequence) {
  FrameHeader header = rogue.Header(FrameKind::kData);
  header.codec = BinaryCodec().Id();
  header.sequence = sequence;
  header.records = 1;
  return header;
}

class RogueMemberTest : public testing::TestWithParam<const char*> {
 protected:
  RogueMemberTest() {
    config_.cluster = "rogue-member-test";
    config_.transport = GetParam();
    config_.peer_timeout = absl::Seconds(60);
    config_.servers = {{kVictim, FreshAddress(AddressKind::kIpv4)},
                       {kHonest, FreshAddress(AddressKind::kIpv4)}};
    rogue_ = std::make_unique<RogueMember>(kRogue, GetParam(), config_.cluster);
    victim_ = Make(kVictim);
    honest_ = Make(kHonest);
    EXPECT_TRUE(victim_->AddPeer(kHonest, honest_->Address()).ok());
    EXPECT_TRUE(honest_->AddPeer(kVictim, victim_->Address()).ok());
    Exchange();
    EXPECT_TRUE(victim_->AddPeer(kRogue, rogue_->Address()).ok());
    rogue_->Join(kVictim, victim_->Address());
    EXPECT_TRUE(rogue_->WaitForSessions(1));
  }

  std::unique_ptr<Server> Make(int id) {
    auto server =
        NewServer(id, config_, tap_.Around(*FindTransport(GetParam())));
    EXPECT_TRUE(server.ok()) << server.status();
    EXPECT_TRUE((*server)->Start().ok());
    return *std::move(server);
  }

  void Exchange() {
    for (int i = 0; i < 20; ++i) {
      Pass(victim_.get(), honest_.get());
      Pass(honest_.get(), victim_.get());
    }
    EXPECT_TRUE(honest_->Flush(kLong).ok());
  }

  void Pass(Server* from, Server* to) {
    Envelope envelope;
    envelope.pid = to->Pid();
    envelope.payload = std::to_string(++passed_);
    ASSERT_TRUE(from->Send(envelope).ok());
    const absl::StatusOr<Envelope> received = to->Receive(kLong);
    ASSERT_TRUE(received.ok()) << received.status();
    EXPECT_EQ(received->payload, envelope.payload);
    EXPECT_EQ(received->sender_id, from->Pid());
  }

  // Sends the frame and waits until the victim has handled it.
  void Say(const std::string& frame) {
    tap_.Watch(kVictim, frame);
    rogue_->Say(frame);
    ASSERT_TRUE(tap_.WaitUntilHandled(kVictim, frame));
  }

  PeerStats SeenOfRogue() { return *victim_->Stats().Peer(kRogue); }

  // Sends the last frame of a breach, and checks its effect.
  void Expect(Effect effect, RefusalReason reason, const std::string& frame) {
    const PeerStats before = SeenOfRogue();
    Say(frame);
    if (effect == Effect::kBrokenByRead) {
      EXPECT_EQ(victim_->Receive(absl::ZeroDuration()).status().code(),
                absl::StatusCode::kDeadlineExceeded);
    }
    std::array<std::uint64_t, kRefusalReasons> refused = before.refused;
    ++refused[static_cast<std::size_t>(reason)];
    EXPECT_EQ(SeenOfRogue().refused, refused);
    if (effect == Effect::kRefused) {
      EXPECT_TRUE(SeenOfRogue().up);
      EXPECT_EQ(SeenOfRogue().sessions, before.sessions);
    } else {
      // The rogue may return in a new session.
      EXPECT_TRUE(
          rogue_->WaitForSessions(static_cast<int>(before.sessions) + 1));
    }
    ExpectHonestUnharmed();
  }

  void ExpectHonestUnharmed() {
    Exchange();
    const ServerStats victim = victim_->Stats();
    EXPECT_THAT(BalanceProblems(kVictim, victim), IsEmpty());
    EXPECT_EQ(victim.inbox_bytes, 0u);
    for (const PeerStats& seen :
         {*victim.Peer(kHonest), *honest_->Stats().Peer(kVictim)}) {
      EXPECT_TRUE(seen.up) << seen;
      EXPECT_EQ(seen.sessions, 1u) << seen;
      EXPECT_EQ(DroppedSum(seen), 0u) << seen;
    }
  }

  Config config_;
  WireTap tap_;
  int passed_ = 0;
  std::unique_ptr<RogueMember> rogue_;
  std::unique_ptr<Server> victim_;
  std::unique_ptr<Server> honest_;
};

TEST_P(RogueMemberTest, DuplicatesGapsAndOtherAddresseesAreDropped) {
  const std::string record = Record(kRogue, kVictim, "once");
  const std::string first = MakeFrame(Data(*rogue_, 1), record);
  Say(first);
  EXPECT_EQ(victim_->Receive(kLong)->payload, "once");
  Expect(Effect::kRefused, RefusalReason::kDuplicate, first);
  Expect(Effect::kRefused, RefusalReason::kGap,
         MakeFrame(Data(*rogue_, 3), record));
  FrameHeader astray = Data(*rogue_, 2);
  astray.destination_id = kHonest;
  Expect(Effect::kRefused, RefusalReason::kWrongDestination,
         MakeFrame(astray, record));
  FrameHeader of_honest = Data(*rogue_, 2);
  of_honest.session ^= 1;
  Expect(Effect::kRefused, RefusalReason::kUnknownSession,
         MakeFrame(of_honest, record));
}

TEST_P(RogueMemberTest, ImpossibleAcknowledgementsEndTheSession) {
  FrameHeader future = rogue_->Header(FrameKind::kControl);
  future.received_through = 1;
  Expect(Effect::kBroken, RefusalReason::kImpossibleAck, MakeFrame(future, ""));
  FrameHeader consumed = rogue_->Header(FrameKind::kControl);
  consumed.consumed_through = 1;
  Expect(Effect::kBroken, RefusalReason::kImpossibleAck,
         MakeFrame(consumed, ""));
}

// The application does not read, so the first frame almost fills the window.
TEST_P(RogueMemberTest, ExceedingTheWindowEndsTheSession) {
  const std::string record =
      Record(kRogue, kVictim, std::string(config_.window_bytes * 2 / 3, 'x'));
  Say(MakeFrame(Data(*rogue_, 1), record));
  const PeerStats before = SeenOfRogue();
  Say(MakeFrame(Data(*rogue_, 2), record));
  EXPECT_EQ(SeenOfRogue().Refused(RefusalReason::kOverrun), 1u);
  EXPECT_LE(victim_->Stats().inbox_bytes, config_.window_bytes);
  EXPECT_TRUE(rogue_->WaitForSessions(static_cast<int>(before.sessions) + 1));
  // The application gets the envelopes before the breach, and no later one.
  EXPECT_EQ(victim_->Receive(kLong)->sender_id, kRogue);
  ExpectHonestUnharmed();
}

TEST_P(RogueMemberTest, ChunksThatMakeNoRecordEndTheSession) {
  FrameHeader middle = Data(*rogue_, 1);
  middle.records = 0;
  middle.chunk = ChunkState::kMiddle;
  middle.chunk_total_bytes = 1000;
  Expect(Effect::kBroken, RefusalReason::kBadRecord, MakeFrame(middle, "x"));
  FrameHeader huge = Data(*rogue_, 1);
  huge.chunk = ChunkState::kFirst;
  huge.chunk_total_bytes = std::uint64_t{1} << 60;
  Expect(Effect::kBroken, RefusalReason::kBadRecord, MakeFrame(huge, "x"));
}

TEST_P(RogueMemberTest, BadRecordsBehindRightChecksumsEndTheSession) {
  const auto expect = [this](FrameHeader header, const std::string& body) {
    Expect(Effect::kBrokenByRead, RefusalReason::kBadRecord,
           MakeFrame(header, body));
  };
  const std::string record = Record(kRogue, kVictim, "x");
  expect(Data(*rogue_, 1), "no record");
  expect(Data(*rogue_, 1), record.substr(0, record.size() - 1));
  FrameHeader codec = Data(*rogue_, 1);
  codec.codec = 63;
  expect(codec, record);
}

TEST_P(RogueMemberTest, AnotherSendersEnvelopeIsNeverDelivered) {
  Expect(Effect::kBrokenByRead, RefusalReason::kWrongIdentity,
         MakeFrame(Data(*rogue_, 1), Record(kHonest, kVictim, "impostor")));
  Expect(Effect::kBrokenByRead, RefusalReason::kBadRecord,
         MakeFrame(Data(*rogue_, 1), Record(kRogue, kHonest, "astray")));
}

// The frame holds one record and claims two. The server delivers the one.
TEST_P(RogueMemberTest, ACountThatLiesEndsTheSession) {
  FrameHeader header = Data(*rogue_, 1);
  header.records = 2;
  Say(MakeFrame(header, Record(kRogue, kVictim, "one")));
  const PeerStats before = SeenOfRogue();
  EXPECT_EQ(victim_->Receive(kLong)->payload, "one");
  EXPECT_EQ(victim_->Receive(absl::ZeroDuration()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(SeenOfRogue().Refused(RefusalReason::kBadRecord), 1u);
  EXPECT_TRUE(rogue_->WaitForSessions(static_cast<int>(before.sessions) + 1));
  ExpectHonestUnharmed();
}

// Then the server itself counts them, since the peer's counters are closed.
TEST_P(RogueMemberTest, BadRecordsAreCountedAfterARemovalToo) {
  Say(MakeFrame(Data(*rogue_, 1), "no record"));
  ASSERT_TRUE(victim_->RemovePeer(kRogue).ok());
  EXPECT_EQ(victim_->Receive(absl::ZeroDuration()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(victim_->Stats().Refused(RefusalReason::kBadRecord), 1u);
  ExpectHonestUnharmed();
}

// Each request asks for all frames in transit.
TEST_P(RogueMemberTest, AFloodOfGapRequestsDrawsLittle) {
  Envelope envelope;
  envelope.pid = kRogue;
  envelope.payload.assign(config_.frame_bytes, 'x');
  for (int i = 0; i < 28; ++i) ASSERT_TRUE(victim_->Send(envelope).ok());
  ASSERT_TRUE(tap_.WaitUntilSent(kVictim, kRogue, 28));
  const std::size_t before = tap_.Sent(kVictim, kRogue).size();
  FrameHeader header = rogue_->Header(FrameKind::kControl);
  header.flags |= kGap;
  constexpr int kRequests = 9600;
  for (int i = 1; i < kRequests; ++i) {
    header.stamp = static_cast<std::uint32_t>(i);
    rogue_->Say(MakeFrame(header, ""));
  }
  header.stamp = kRequests;
  Say(MakeFrame(header, ""));
  EXPECT_LE(tap_.Sent(kVictim, kRogue).size() - before, 200u);
  EXPECT_TRUE(SeenOfRogue().up);
  ExpectHonestUnharmed();
}

TEST_P(RogueMemberTest, AHelloOfAnotherClusterIsRefused) {
  Hello hello;
  hello.versions = {kFrameVersionMin, kFrameVersionMax};
  hello.incarnation = 3;
  hello.nonce = 1;
  hello.epoch = 2;
  hello.cluster = "another";
  FrameHeader header = rogue_->Header(FrameKind::kHello);
  header.flags = 0;
  Expect(Effect::kRefused, RefusalReason::kWrongCluster,
         MakeFrame(header, EncodeHello(hello)));
}

INSTANTIATE_TEST_SUITE_P(Backends, RogueMemberTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
