// A member tries to fill a server's memory: by a window without an end, and by
// large payloads that it begins and does not finish.

#include <memory>
#include <string>

#include "cluster/config/memory.h"
#include "cluster/server.h"
#include "cluster/transport/registry.h"
#include "gtest/gtest.h"
#include "tests/harness/fresh_address.h"
#include "tests/harness/transports.h"
#include "tests/hostile/forgery.h"
#include "tests/hostile/rogue_member.h"
#include "tests/hostile/wire_tap.h"

namespace cluster::internal {
namespace {

constexpr int kVictim = 1;
constexpr int kRogue = 9;

class HungryMemberTest : public testing::TestWithParam<const char*> {
 protected:
  HungryMemberTest() : rogue_(kRogue, GetParam(), "hungry-member-test") {
    config_.cluster = "hungry-member-test";
    config_.transport = GetParam();
    config_.peer_timeout = absl::Seconds(60);
    config_.linger = absl::ZeroDuration();
    config_.payload_bytes_max = 1u << 20;
    config_.window_bytes = 1u << 20;
    config_.queue_bytes_max = 1u << 20;
    config_.servers = {{kVictim, FreshAddress(AddressKind::kIpv4)}};
  }

  void Start() {
    auto server =
        NewServer(kVictim, config_, tap_.Around(*FindTransport(GetParam())));
    ASSERT_TRUE(server.ok()) << server.status();
    victim_ = *std::move(server);
    ASSERT_TRUE(victim_->Start().ok());
    ASSERT_TRUE(victim_->AddPeer(kRogue, rogue_.Address()).ok());
    rogue_.Join(kVictim, victim_->Address());
    ASSERT_TRUE(rogue_.WaitForSessions(1));
  }

  PeerStats Seen() { return *victim_->Stats().Peer(kRogue); }

  Config config_;
  WireTap tap_;
  RogueMember rogue_;
  std::unique_ptr<Server> victim_;
};

// The victim keeps at most a window of its own size and a queue for the rogue.
TEST_P(HungryMemberTest, AnIdleSenderHoldsAWindowAndAQueueForIt) {
  rogue_.OnlyReceive(std::uint64_t{1} << 62);
  Start();
  Envelope envelope;
  envelope.pid = kRogue;
  envelope.payload.resize(16u << 10);
  constexpr std::size_t kMoreThanFits = 64u << 20;
  std::size_t sent = 0;
  while (sent < kMoreThanFits) {
    if (victim_->Send(envelope, absl::Milliseconds(10)).ok()) {
      sent += envelope.payload.size();
      continue;
    }
    // No frame may leave before the rogue consumes some.
    const PeerStats seen = Seen();
    if (seen.unconsumed_bytes + 2 * config_.frame_bytes >
        config_.window_bytes - config_.window_bytes / 16) {
      break;
    }
  }
  EXPECT_LE(Seen().unconsumed_bytes, config_.window_bytes);
  EXPECT_LE(Seen().held_bytes, config_.window_bytes + config_.queue_bytes_max +
                                   config_.queue_bytes_max / 4);
  EXPECT_LT(sent, 4 * config_.window_bytes);
}

// The rogue chooses the codec of each frame. With any codec, each lane's
// unfinished record takes at most four thirds of a payload.
TEST_P(HungryMemberTest, UnfinishedPayloadsTakeFourThirdsOfOneEach) {
  Start();
  const std::size_t most = RecordBytesLimit(config_.payload_bytes_max);
  const auto begin = [&](std::uint64_t sequence, Lane lane, std::size_t claim) {
    FrameHeader header = rogue_.Header(FrameKind::kData);
    header.sequence = sequence;
    header.codec = 2;
    header.records = 1;
    header.lane = lane;
    header.chunk = ChunkState::kFirst;
    header.chunk_total_bytes = claim;
    const std::string frame = MakeFrame(header, "{");
    tap_.Watch(kVictim, frame);
    rogue_.Say(frame);
    ASSERT_TRUE(tap_.WaitUntilHandled(kVictim, frame));
  };
  begin(1, Lane::kUrgent, most);
  begin(2, Lane::kNormal, most);
  EXPECT_EQ(victim_->Stats().reassembly_bytes, 2 * most);
  EXPECT_EQ(Seen().Refused(RefusalReason::kBadRecord), 0u);
  begin(3, Lane::kBulk, most + 1);
  EXPECT_EQ(Seen().Refused(RefusalReason::kBadRecord), 1u);
  // The end of the session frees the unfinished payloads.
  EXPECT_EQ(victim_->Stats().reassembly_bytes, 0u);
}

INSTANTIATE_TEST_SUITE_P(Backends, HungryMemberTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
