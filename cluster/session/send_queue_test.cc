#include "cluster/session/send_queue.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "cluster/codec/frame_header.h"
#include "cluster/session/large_record.h"
#include "cluster/session/testing/link_pair.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

Envelope Text(const std::string& payload, Lane lane = Lane::kNormal) {
  Envelope envelope;
  envelope.message_id = {9, 1};
  envelope.payload = payload;
  envelope.lane = lane;
  return envelope;
}

using Strings = std::vector<std::string>;

TEST(SendQueue, BatchesAreFifoWithinALane) {
  const LinkConfig config = TestLinkConfig(1, 2);
  SendQueue queue(config);
  ASSERT_EQ(queue.Append(Text("a")), AppendResult::kAccepted);
  ASSERT_EQ(queue.Append(Text("u", Lane::kUrgent)), AppendResult::kAccepted);
  ASSERT_EQ(queue.Append(Text("b")), AppendResult::kAccepted);
  EXPECT_EQ(queue.envelopes(), 3u);
  EXPECT_EQ(PayloadsOf(config, queue.Take(Lane::kNormal)), (Strings{"a", "b"}));
  EXPECT_EQ(PayloadsOf(config, queue.Take(Lane::kUrgent)), Strings{"u"});
  EXPECT_TRUE(queue.Empty());
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST(SendQueue, ABatchIsFullAtFrameBytes) {
  const LinkConfig config = TestLinkConfig(1, 2);
  SendQueue queue(config);
  const std::string payload(100, 'x');
  int appended = 0;
  while (!queue.HasFull(Lane::kNormal)) {
    ASSERT_EQ(queue.Append(Text(payload)), AppendResult::kAccepted);
    ++appended;
  }
  EXPECT_GE(appended, 8);
  EXPECT_LE(queue.Front(Lane::kNormal).body_bytes, config.frame_bytes);
  EXPECT_GE(queue.Front(Lane::kNormal).body_bytes,
            config.frame_bytes - 2 * 150);
}

TEST(SendQueue, SmallestFramesWork) {
  LinkConfig config = TestLinkConfig(1, 2);
  config.frame_bytes = 512;
  SendQueue queue(config);
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(queue.Append(Text(std::string(60, 'x'))),
              AppendResult::kAccepted);
  std::uint64_t records = 0;
  while (!queue.Empty()) {
    const Batch batch = queue.Take(Lane::kNormal);
    EXPECT_LE(batch.body_bytes, 512u);
    records += batch.records;
  }
  EXPECT_EQ(records, 100u);
}

TEST(SendQueue, RejectsWhatDoesNotFit) {
  LinkConfig config = TestLinkConfig(1, 2);
  config.queue_bytes_max = 1000;
  SendQueue queue(config);
  ASSERT_EQ(queue.Append(Text(std::string(600, 'x'))), AppendResult::kAccepted);
  const std::size_t before = queue.bytes();
  EXPECT_EQ(queue.Append(Text(std::string(600, 'x'))), AppendResult::kFull);
  EXPECT_EQ(queue.bytes(), before);
  EXPECT_EQ(queue.envelopes(), 1u);
}

TEST(SendQueue, AnEmptyQueueTakesAnyPayload) {
  LinkConfig config = TestLinkConfig(1, 2);
  config.queue_bytes_max = 1000;
  SendQueue queue(config);
  EXPECT_EQ(queue.Append(Text(std::string(5000, 'x'))),
            AppendResult::kAccepted);
  EXPECT_EQ(queue.Append(Text("y")), AppendResult::kFull);
}

TEST(SendQueue, LessUrgentLanesShutNobodyOut) {
  LinkConfig config = TestLinkConfig(1, 2);
  config.queue_bytes_max = 2000;
  SendQueue queue(config);
  ASSERT_EQ(queue.Append(Text(std::string(5000, 'b'), Lane::kBulk)),
            AppendResult::kAccepted);
  EXPECT_EQ(queue.Append(Text("b", Lane::kBulk)), AppendResult::kFull);
  for (Lane lane : {Lane::kUrgent, Lane::kNormal}) {
    EXPECT_TRUE(queue.HasRoom(Text("x", lane)));
    EXPECT_EQ(queue.Append(Text("x", lane)), AppendResult::kAccepted);
    // Its share is an eighth, and used up at some time.
    EXPECT_EQ(queue.Append(Text(std::string(250, 'x'), lane)),
              AppendResult::kFull);
    queue.Take(lane);
    EXPECT_EQ(queue.Append(Text(std::string(150, 'x'), lane)),
              AppendResult::kAccepted);
  }
}

TEST(LinkConfig, FourChunksMayBeInFlight) {
  const Config defaults;
  const std::size_t chunk =
      ChunkBytes(defaults.frame_bytes, defaults.inflight_bytes);
  EXPECT_LE(4 * FrameCharge(chunk), defaults.inflight_bytes);
  EXPECT_GT(chunk, 1u << 20);  // and the fields of a payload of 1 MiB
}

TEST(SendQueue, WhatWasEncodedAheadIsTheSame) {
  const LinkConfig config = TestLinkConfig(1, 2);
  const Envelope large = Text(std::string(50000, 'x'), Lane::kBulk);
  SendQueue queue(config), ahead(config);
  ASSERT_EQ(queue.Append(large), AppendResult::kAccepted);
  ASSERT_EQ(ahead.AppendEncoded(EncodeLarge(config, large)),
            AppendResult::kAccepted);
  EXPECT_EQ(ahead.bytes(), queue.bytes());
  EXPECT_EQ(ahead.envelopes(), 1u);
  EXPECT_TRUE(ahead.Front(Lane::kBulk).large);
  EXPECT_EQ(ahead.Front(Lane::kBulk).chunk(0),
            queue.Front(Lane::kBulk).chunk(0));
}

TEST(SendQueue, WhatWasEncodedAheadIsRefusedWithoutRoom) {
  LinkConfig config = TestLinkConfig(1, 2);
  config.queue_bytes_max = 60000;
  const Envelope large = Text(std::string(50000, 'x'));
  SendQueue queue(config);
  ASSERT_EQ(queue.Append(large), AppendResult::kAccepted);
  EXPECT_EQ(queue.AppendEncoded(EncodeLarge(config, large)),
            AppendResult::kFull);
  EXPECT_EQ(queue.envelopes(), 1u);
}

// What goes to several peers, a few records or many at a time.
TEST(SendQueue, WhatIsSharedKeepsOrderAndSize) {
  const LinkConfig config = TestLinkConfig(1, 2);
  SendQueue queue(config);
  Strings expected, taken;
  for (std::size_t i = 0; i < 60; ++i) {
    expected.push_back(std::string(i, 'o') + "own");
    ASSERT_EQ(queue.Append(Text(expected.back())), AppendResult::kAccepted);
    Batch batch = NewBatch(config.buffers.get(), Lane::kNormal, 1024);
    batch.shared = true;
    EncodeState encode;
    while (batch.body_bytes < i * 13) {
      expected.push_back(std::string(i, 's') + "shared");
      char* const end = config.codec->AppendRecord(Text(expected.back()),
                                                   &encode, batch.body_end());
      batch.body_bytes = static_cast<std::size_t>(end - batch.body_begin());
      ++batch.records;
    }
    batch.body_crc = Crc32c(batch.body());
    if (batch.records > 0) queue.AppendShared(batch, encode);
  }
  EXPECT_EQ(queue.envelopes(), expected.size());
  bool shared = false, own = false;
  while (!queue.Empty()) {
    const Batch batch = queue.Take(Lane::kNormal);
    EXPECT_LE(batch.body_bytes, config.frame_bytes);
    (batch.shared ? shared : own) = true;
    for (std::string& payload : PayloadsOf(config, batch))
      taken.push_back(std::move(payload));
  }
  EXPECT_EQ(taken, expected);
  EXPECT_TRUE(shared && own);
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST(SendQueue, TooLargeIsNeverAccepted) {
  const LinkConfig config = TestLinkConfig(1, 2);
  SendQueue queue(config);
  EXPECT_EQ(queue.Append(Text(std::string(config.payload_bytes_max + 1, 'x'))),
            AppendResult::kTooLarge);
  EXPECT_EQ(queue.Append(Text(std::string(config.payload_bytes_max, 'x'))),
            AppendResult::kAccepted);
}

TEST(SendQueue, DropOldestMakesRoomBulkFirst) {
  LinkConfig config = TestLinkConfig(1, 2);
  config.overflow = Overflow::kDropOldest;
  config.queue_bytes_max = 4000;
  SendQueue queue(config);
  ASSERT_EQ(queue.Append(Text(std::string(1500, 'n'))),
            AppendResult::kAccepted);
  ASSERT_EQ(queue.Append(Text(std::string(1500, 'b'), Lane::kBulk)),
            AppendResult::kAccepted);
  ASSERT_EQ(queue.Append(Text(std::string(1500, 'm'))),
            AppendResult::kAccepted);
  EXPECT_EQ(queue.overflowed(), 1u);
  EXPECT_TRUE(queue.Empty(Lane::kBulk));
  ASSERT_EQ(queue.Append(Text(std::string(1500, 'o'))),
            AppendResult::kAccepted);
  EXPECT_EQ(queue.overflowed(), 2u);
  EXPECT_EQ(PayloadsOf(config, queue.Take(Lane::kNormal)),
            Strings{std::string(1500, 'm')});
}

TEST(SendQueue, DropOldestKeepsWhatIsMoreUrgentThanTheNewcomer) {
  LinkConfig config = TestLinkConfig(1, 2);
  config.overflow = Overflow::kDropOldest;
  config.queue_bytes_max = 4000;
  SendQueue queue(config);
  for (Lane lane : {Lane::kUrgent, Lane::kNormal}) {
    ASSERT_EQ(queue.Append(Text(std::string(1500, 'x'), lane)),
              AppendResult::kAccepted);
  }
  EXPECT_EQ(queue.Append(Text(std::string(1500, 'b'), Lane::kBulk)),
            AppendResult::kFull);
  EXPECT_EQ(queue.overflowed(), 0u);
  EXPECT_EQ(queue.Append(Text(std::string(1500, 'u'), Lane::kUrgent)),
            AppendResult::kAccepted);
  EXPECT_EQ(queue.overflowed(), 1u);
  EXPECT_TRUE(queue.Empty(Lane::kNormal));
}

TEST(SendQueue, DropOldestDropsNothingWhereThatMakesNoRoom) {
  LinkConfig config = TestLinkConfig(1, 2);
  config.overflow = Overflow::kDropOldest;
  config.queue_bytes_max = 10000;
  SendQueue queue(config);
  ASSERT_EQ(queue.Append(Text(std::string(7000, 'b'), Lane::kBulk)),
            AppendResult::kAccepted);
  queue.CutFront(Lane::kBulk, 100);
  ASSERT_EQ(queue.Append(Text(std::string(2000, 'n'))),
            AppendResult::kAccepted);
  EXPECT_EQ(queue.Append(Text(std::string(5000, 'm'))), AppendResult::kFull);
  EXPECT_EQ(queue.overflowed(), 0u);
}

TEST(SendQueue, WhatWasSentInPartIsNotDropped) {
  LinkConfig config = TestLinkConfig(1, 2);
  config.overflow = Overflow::kDropOldest;
  config.queue_bytes_max = 10000;
  SendQueue queue(config);
  ASSERT_EQ(queue.Append(Text(std::string(9000, 'n'))),
            AppendResult::kAccepted);
  ASSERT_TRUE(queue.Front(Lane::kNormal).large);
  queue.CutFront(Lane::kNormal, 100);
  EXPECT_EQ(queue.Append(Text(std::string(2000, 'm'))), AppendResult::kFull);
  queue.RestartFront(Lane::kNormal);
  EXPECT_EQ(queue.Append(Text(std::string(2000, 'm'))),
            AppendResult::kAccepted);
  EXPECT_EQ(queue.overflowed(), 1u);
}

TEST(SendQueue, ALargeRecordIsCutToItsEnd) {
  const LinkConfig config = TestLinkConfig(1, 2);
  SendQueue queue(config);
  ASSERT_EQ(queue.Append(Text("before")), AppendResult::kAccepted);
  ASSERT_EQ(queue.Append(Text(std::string(9000, 'x'))),
            AppendResult::kAccepted);
  ASSERT_EQ(queue.Append(Text("after")), AppendResult::kAccepted);
  EXPECT_EQ(PayloadsOf(config, queue.Take(Lane::kNormal)), Strings{"before"});
  ASSERT_TRUE(queue.Front(Lane::kNormal).large);
  const std::size_t bytes = queue.Front(Lane::kNormal).body_bytes;
  queue.CutFront(Lane::kNormal, bytes - 1);
  EXPECT_TRUE(queue.Front(Lane::kNormal).large);
  queue.CutFront(Lane::kNormal, 1);
  EXPECT_EQ(PayloadsOf(config, queue.Take(Lane::kNormal)), Strings{"after"});
  EXPECT_EQ(queue.envelopes(), 0u);
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST(SendQueue, WhatIsPutInFrontComesFirstAndTakesNoMore) {
  const LinkConfig config = TestLinkConfig(1, 2);
  SendQueue queue(config);
  ASSERT_EQ(queue.Append(Text("a")), AppendResult::kAccepted);
  Batch first = queue.Take(Lane::kNormal);
  ASSERT_EQ(queue.Append(Text("b")), AppendResult::kAccepted);
  queue.PutFront(std::move(first));
  ASSERT_EQ(queue.Append(Text("c")), AppendResult::kAccepted);
  EXPECT_EQ(PayloadsOf(config, queue.Take(Lane::kNormal)), Strings{"a"});
  EXPECT_EQ(PayloadsOf(config, queue.Take(Lane::kNormal)), (Strings{"b", "c"}));

  // Also when it is alone in its lane.
  ASSERT_EQ(queue.Append(Text("d")), AppendResult::kAccepted);
  queue.PutFront(queue.Take(Lane::kNormal));
  ASSERT_EQ(queue.Append(Text("e")), AppendResult::kAccepted);
  EXPECT_EQ(PayloadsOf(config, queue.Take(Lane::kNormal)), Strings{"d"});
  EXPECT_EQ(PayloadsOf(config, queue.Take(Lane::kNormal)), Strings{"e"});
}

TEST(SendQueue, WhatIsTooLargeForThePeerIsDroppedFromItsBatch) {
  LinkConfig config = TestLinkConfig(1, 2);
  SendQueue queue(config);
  const std::string most(300, 'm'), more(301, 'x');
  for (const std::string& payload : {std::string("a"), more, most, more})
    ASSERT_EQ(queue.Append(Text(payload)), AppendResult::kAccepted);
  EXPECT_EQ(queue.DropUnfit(Lane::kNormal, 301, kFeatureGroups).too_large, 0u);
  EXPECT_EQ(queue.DropUnfit(Lane::kNormal, 300, kFeatureGroups).too_large, 2u);
  EXPECT_EQ(queue.DropUnfit(Lane::kNormal, 300, kFeatureGroups).too_large, 0u);
  EXPECT_EQ(queue.envelopes(), 2u);
  EXPECT_EQ(PayloadsOf(config, queue.Take(Lane::kNormal)),
            (Strings{"a", most}));
  EXPECT_EQ(queue.bytes(), 0u);

  // Nothing left of the batch; a large record.
  ASSERT_EQ(queue.Append(Text(more)), AppendResult::kAccepted);
  EXPECT_EQ(queue.DropUnfit(Lane::kNormal, 300, kFeatureGroups).too_large, 1u);
  EXPECT_TRUE(queue.Empty(Lane::kNormal));
  ASSERT_EQ(queue.Append(Text(std::string(9000, 'l'))),
            AppendResult::kAccepted);
  ASSERT_TRUE(queue.Front(Lane::kNormal).large);
  EXPECT_EQ(queue.DropUnfit(Lane::kNormal, 8999, kFeatureGroups).too_large, 1u);
  EXPECT_TRUE(queue.Empty());
  EXPECT_EQ(queue.bytes(), 0u);
}

Envelope Grouped(const std::string& payload) {
  Envelope envelope = Text(payload);
  envelope.group = 1;
  return envelope;
}

// Nor does what the peer does not understand drag along what it does.
TEST(SendQueue, WhatThePeerDoesNotUnderstandIsDroppedFromItsBatch) {
  const LinkConfig config = TestLinkConfig(1, 2);
  SendQueue queue(config);
  for (const char* payload : {"a", "b", "c", "d"}) {
    ASSERT_EQ(queue.Append(payload[0] % 2 ? Text(payload) : Grouped(payload)),
              AppendResult::kAccepted);
  }
  // It is an open batch, and then a closed one.
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(queue.DropUnfit(Lane::kNormal, 300, kFeatureGroups).unsupported,
              0u);
    if (round == 0) queue.PutFront(queue.Take(Lane::kNormal));
  }
  EXPECT_EQ(queue.DropUnfit(Lane::kNormal, 300, 0).unsupported, 2u);
  EXPECT_EQ(queue.DropUnfit(Lane::kNormal, 300, 0).unsupported, 0u);
  EXPECT_EQ(PayloadsOf(config, queue.Take(Lane::kNormal)), (Strings{"a", "c"}));

  // While the batch is open; both reasons in one; a large record.
  ASSERT_EQ(queue.Append(Grouped("e")), AppendResult::kAccepted);
  EXPECT_EQ(queue.DropUnfit(Lane::kNormal, 300, 0).unsupported, 1u);
  EXPECT_TRUE(queue.Empty());
  ASSERT_EQ(queue.Append(Grouped(std::string(301, 'x'))),
            AppendResult::kAccepted);
  ASSERT_EQ(queue.Append(Text(std::string(301, 'x'))), AppendResult::kAccepted);
  const Unfit both = queue.DropUnfit(Lane::kNormal, 300, 0);
  EXPECT_EQ(both.unsupported, 1u);
  EXPECT_EQ(both.too_large, 1u);
  ASSERT_EQ(queue.Append(Grouped(std::string(9000, 'l'))),
            AppendResult::kAccepted);
  ASSERT_TRUE(queue.Front(Lane::kNormal).large);
  EXPECT_EQ(queue.DropUnfit(Lane::kNormal, 9000, 0).unsupported, 1u);
  EXPECT_TRUE(queue.Empty());
  EXPECT_EQ(queue.bytes(), 0u);
}

// A frame that is still on its way shares the buffer that its batch had: a
// batch that is taken again must not write its header there.
TEST(SendQueue, ABatchTakenAgainHasABufferOfItsOwn) {
  const LinkConfig config = TestLinkConfig(1, 2);
  SendQueue queue(config);
  ASSERT_EQ(queue.Append(Text("a")), AppendResult::kAccepted);
  Batch batch = queue.Take(Lane::kNormal);
  const std::shared_ptr<char> on_its_way = batch.buffer;
  queue.PutFront(std::move(batch));
  const Batch again = queue.Take(Lane::kNormal);
  EXPECT_NE(again.buffer, on_its_way);
  EXPECT_EQ(PayloadsOf(config, again), Strings{"a"});
}

// The payloads begin with what the ordinals must be.
class Numbered {
 public:
  explicit Numbered(const LinkConfig& config)
      : config_(config), queue_(config) {}

  std::string Next(Lane lane, std::size_t bytes) {
    return std::to_string(accepted(lane) + 1) + std::string(bytes + 1, '.');
  }
  std::uint64_t accepted(Lane lane) const {
    return accepted_[static_cast<std::size_t>(lane)];
  }
  void Accepted(Lane lane, std::uint64_t count = 1) {
    accepted_[static_cast<std::size_t>(lane)] += count;
  }

  void Append(Lane lane, std::size_t bytes) {
    if (queue_.Append(Text(Next(lane, bytes), lane)) == AppendResult::kAccepted)
      Accepted(lane);
  }
  void AppendSeveral(int count, std::size_t bytes, bool shared) {
    OpenBatch open(config_, Lane::kNormal);
    for (int i = 0; i < count; ++i) {
      const Envelope envelope =
          Text(std::to_string(accepted(Lane::kNormal) + 1 +
                              static_cast<std::uint64_t>(i)) +
               std::string(bytes + 1, '.'));
      const std::size_t most = config_.codec->RecordBytesMax(envelope);
      if (!open.Fits(most)) count = i;
      if (i < count) open.Append(envelope, most);
    }
    if (open.empty() || !queue_.HasRoomFor(open.batch().body_bytes)) return;
    if (shared) {
      const EncodeState encode = open.encode();
      Batch batch = open.Close();
      batch.shared = true;
      queue_.AppendShared(batch, encode);
    } else {
      queue_.AppendStaged(&open);
    }
    Accepted(Lane::kNormal, static_cast<std::uint64_t>(count));
  }
  void DropTooLarge(Lane lane) {
    if (!queue_.Empty(lane)) queue_.DropUnfit(lane, 40, ~std::uint64_t{0});
  }
  // Takes some, and puts the first few back.
  void TakeSome(Lane lane, std::size_t count, std::size_t kept) {
    std::vector<Batch> batches;
    while (batches.size() < count && !queue_.Empty(lane) &&
           !queue_.Front(lane).large) {
      ExpectFront(lane);
      batches.push_back(queue_.Take(lane));
    }
    if (!queue_.Empty(lane) && queue_.Front(lane).large) {
      ExpectFront(lane);
      queue_.CutFront(lane, queue_.Front(lane).body_bytes);
    }
    while (batches.size() > kept) {
      queue_.PutFront(std::move(batches.back()));
      batches.pop_back();
      ExpectFront(lane);
    }
  }
  void ExpectFront(Lane lane) {
    ASSERT_EQ(queue_.accepted(lane), accepted(lane));
    if (queue_.Empty(lane)) {
      ASSERT_EQ(queue_.FrontOrdinal(lane), accepted(lane) + 1);
      return;
    }
    const Batch& front = queue_.Front(lane);
    const std::string number = std::to_string(queue_.FrontOrdinal(lane)) + ".";
    if (front.large) {
      ASSERT_NE(front.chunk(0).substr(0, 100).find(number),
                absl::string_view::npos);
      return;
    }
    absl::string_view body = front.body();
    DecodeState state;
    ASSERT_TRUE(config_.codec->NextRecord(&body, &state).ok());
    ASSERT_EQ(std::string(state.envelope.payload.substr(0, number.size())),
              number);
  }

 private:
  const LinkConfig& config_;
  SendQueue queue_;
  std::array<std::uint64_t, kLanes> accepted_{};
};

TEST(SendQueue, OrdinalsSurviveWhateverHappens) {
  for (const Overflow overflow : {Overflow::kReject, Overflow::kDropOldest}) {
    LinkConfig config = TestLinkConfig(1, 2);
    config.overflow = overflow;
    config.frame_bytes = 8 << 10;  // a batch may leave most of it unused
    config.queue_bytes_max = 32 << 10;
    Numbered numbered(config);
    std::mt19937 random(7);
    const auto below = [&](unsigned bound) { return random() % bound; };
    for (int step = 0; step < 20000; ++step) {
      const Lane lane = static_cast<Lane>(below(kLanes));
      switch (below(8)) {
        case 0:
          numbered.AppendSeveral(static_cast<int>(1 + below(20)), below(60),
                                 below(2) == 0);
          break;
        case 1:
          numbered.DropTooLarge(lane);
          break;
        case 2:
          numbered.TakeSome(lane, 1 + below(5), below(3));
          break;
        case 3:
          numbered.Append(lane, 10000);
          break;
        default:
          numbered.Append(lane, below(300));
      }
      for (Lane each : kLanesByUrgency) numbered.ExpectFront(each);
      if (HasFatalFailure()) FAIL() << "at step " << step;
    }
  }
}

}  // namespace
}  // namespace cluster
