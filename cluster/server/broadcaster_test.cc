// When broadcasts gather, and what is shared then, over sessions that the test
// holds by the wires.

#include "cluster/server/broadcaster.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/server/testing/wires.h"
#include "cluster/server/ticker.h"
#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using Strings = std::vector<std::string>;

// Where the records are in the sender's memory.
const char* BodyOf(const Frame& frame) {
  return frame.slices.back().bytes.data();
}

// Server 1 with the peers 2 and 3.
class BroadcasterTest : public testing::Test {
 protected:
  void SetUp() override {
    for (int id : {2, 3}) {
      SessionConfig config = TestSessionConfig(1, id);
      config.buffers = buffers_;
      near_[id] = peers_.Vacant([&] {
        return std::make_unique<ReliablePeer>(
            config, &wires_, &inbox_, &callbacks_, &rejections_, &ticker_);
      });
      near_[id]->Join(id, PeerStats());
      peers_.Insert(near_[id]);
      far_[id] = std::make_unique<SessionEnd>(TestSessionConfig(id, 1), &now_);
    }
    broadcaster_ = std::make_unique<Broadcaster>(
        TestSessionConfig(1, kBroadcast), &peers_);
    for (int id : {2, 3}) {
      near_[id]->OnConnected(id, Peer::DrawGeneration());
      far_[id]->session->OnConnected(now_);
      Exchange(id);
    }
  }

  // Everything that is on its way, both ways, until nothing is.
  void Exchange(int id) {
    while (true) {
      const int from_near = Carry(id, &wires_, far_[id].get());
      const Strings from_far = far_[id]->Speak();
      for (const std::string& bytes : from_far) {
        Hear({bytes}, near_[id]);
        near_[id]->OnDrained();
      }
      broadcaster_->OnRoom();
      if (from_near == 0 && from_far.empty()) return;
    }
  }

  void Send(const std::string& payload, Lane lane = Lane::kNormal) {
    Envelope envelope;
    envelope.message_id = {1001, ++sequence_};
    envelope.pid = kBroadcast;
    envelope.sender_id = 1;
    envelope.lane = lane;
    envelope.payload = payload;
    sent_.push_back(payload);
    EXPECT_TRUE(broadcaster_->Send(EnvelopeView(envelope)).empty());
  }
  // Until they gather; nothing is heard meanwhile.
  void SendUntilOpen() {
    for (int i = 0; i < 100 && !broadcaster_->open(); ++i)
      Send(absl::StrCat("direct ", i));
    ASSERT_TRUE(broadcaster_->open());
  }
  std::uint64_t Accepted(int id) { return near_[id]->Stats().accepted; }

  void ExpectAllArrive() {
    for (int id : {2, 3}) Exchange(id);
    for (int id : {2, 3}) EXPECT_EQ(far_[id]->Payloads(), sent_) << id;
  }

  absl::Time now_ = absl::UnixEpoch();
  const std::shared_ptr<BufferPool> buffers_ = std::make_shared<BufferPool>();
  Wires wires_;
  Inbox inbox_{1, 1 << 20, 1 << 20};
  Callbacks callbacks_{&inbox_};
  Rejections rejections_{[](PeerEvent) {}, [](int) { return true; }};
  Ticker ticker_{nullptr, absl::Seconds(1), absl::Seconds(1)};  // not started
  PeerTable<ReliablePeer> peers_;
  std::map<int, ReliablePeer*> near_;
  std::map<int, std::unique_ptr<SessionEnd>> far_;
  std::unique_ptr<Broadcaster> broadcaster_;
  Strings sent_;
  std::uint64_t sequence_ = 0;
};

TEST_F(BroadcasterTest, LeavesAtOnceWhileAPeerIsIdle) {
  for (int i = 0; i < 100; ++i) {
    Send(absl::StrCat(i));
    EXPECT_EQ(wires_.sent[2].size(), 1u);
    Exchange(2);  // and server 3 is busy
  }
  EXPECT_FALSE(broadcaster_->open());
  ExpectAllArrive();
}

TEST_F(BroadcasterTest, GathersWhileAllAreBusy) {
  SendUntilOpen();
  const std::uint64_t before = Accepted(2);
  const std::size_t frames = wires_.sent[2].size();
  for (int i = 0; i < 10; ++i) Send("gathered");
  EXPECT_EQ(Accepted(2), before);
  EXPECT_EQ(wires_.sent[2].size(), frames);
  // One peer has room: it gets what waits, and the other queues it.
  Exchange(2);
  EXPECT_EQ(far_[2]->Payloads(), sent_);
  EXPECT_EQ(Accepted(3), sent_.size());
  ExpectAllArrive();
}

TEST_F(BroadcasterTest, DoesNotGatherForWhoBecameIdle) {
  SendUntilOpen();
  ExpectAllArrive();
  // Open, with nothing in it, and nothing on its way to make room.
  ASSERT_TRUE(broadcaster_->open());
  Send("alone");
  EXPECT_EQ(wires_.sent[2].size(), 1u);
  EXPECT_FALSE(broadcaster_->open());
  ExpectAllArrive();
}

TEST_F(BroadcasterTest, AFullBatchIsTheSameBytesForAll) {
  SendUntilOpen();
  const std::size_t frame_bytes = TestSessionConfig(1, 2).frame_bytes;
  while (Accepted(2) < sent_.size() || sent_.size() < 20)
    Send(std::string(frame_bytes / 10, 'x'));
  ASSERT_FALSE(wires_.sent[2].empty());
  const Frame& two = wires_.sent[2].back();
  const Frame& three = wires_.sent[3].back();
  ASSERT_EQ(two.slices.size(), 2u);
  EXPECT_EQ(BodyOf(two), BodyOf(three));
  EXPECT_NE(BytesOf(two), BytesOf(three));  // of other sessions
  ExpectAllArrive();
}

TEST_F(BroadcasterTest, ALargePayloadIsTheSameBytesForAll) {
  for (std::size_t bytes : {2000u, 50000u}) {
    Send(std::string(bytes, 'x'));
    ASSERT_EQ(wires_.sent[2].size(), wires_.sent[3].size());
    for (std::size_t i = 0; i < wires_.sent[2].size(); ++i) {
      EXPECT_EQ(BodyOf(wires_.sent[2][i]), BodyOf(wires_.sent[3][i]));
      EXPECT_EQ(wires_.sent[2][i].slices.size(), 2u);
    }
    ExpectAllArrive();
  }
}

// Nobody else has its bytes, so they leave from where they were encoded.
TEST_F(BroadcasterTest, ALargePayloadToOnePeerIsEncodedInPlace) {
  constexpr std::size_t kBytes = 2000;
  Envelope envelope;
  envelope.pid = 2;
  envelope.sender_id = 1;
  envelope.payload.assign(kBytes, 'x');
  ASSERT_EQ(near_[2]->Send(2, EnvelopeView(envelope)), SendOutcome::kAccepted);
  ASSERT_EQ(wires_.sent[2].size(), 1u);
  EXPECT_EQ(wires_.sent[2][0].slices.size(), 1u);
  EXPECT_LT(buffers_->free_bytes(), kBytes);  // a copy would leave it there
}

TEST_F(BroadcasterTest, OtherLanesDoNotGather) {
  SendUntilOpen();
  Send("gathered");
  Send("urgent", Lane::kUrgent);
  EXPECT_EQ(Accepted(2), sent_.size());
  EXPECT_FALSE(broadcaster_->open());
}

TEST_F(BroadcasterTest, CloseHandsOver) {
  SendUntilOpen();
  Send("gathered");
  broadcaster_->Close();
  EXPECT_FALSE(broadcaster_->open());
  EXPECT_EQ(Accepted(3), sent_.size());
  ExpectAllArrive();
}

TEST_F(BroadcasterTest, NothingGathersAfterStop) {
  SendUntilOpen();
  Send("gathered");
  broadcaster_->Stop();
  for (int i = 0; i < 50; ++i) Send("direct");
  EXPECT_FALSE(broadcaster_->open());
  EXPECT_EQ(Accepted(2), sent_.size());
}

TEST_F(BroadcasterTest, GathersOnlyWhatEachQueueHasRoomFor) {
  SendUntilOpen();
  Envelope envelope;
  envelope.payload.assign(300, 'x');
  envelope.pid = kBroadcast;
  int taken = 0;
  while (broadcaster_->Send(EnvelopeView(envelope)).empty()) ++taken;
  EXPECT_GT(taken, 100);
  EXPECT_FALSE(broadcaster_->open());
  for (int id : {2, 3})
    EXPECT_LE(near_[id]->Stats().queued_bytes,
              TestSessionConfig(1, id).queue_bytes_max * 9 / 8);
}

}  // namespace
}  // namespace cluster::internal
