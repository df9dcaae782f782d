#include "cluster/session/send_queue.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cluster/base/check.h"
#include "cluster/base/mutex.h"
#include "cluster/codec/frame_header.h"
#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

Envelope Text(const std::string& payload, Lane lane = Lane::kNormal) {
  Envelope envelope;
  envelope.message_id = {9, 1};
  envelope.payload = payload;
  envelope.lane = lane;
  return envelope;
}

using Strings = std::vector<std::string>;

// A queue that is open for server 2.
class Queue {
 public:
  explicit Queue(const SessionConfig& config)
      : config_(config),
        share_(config.memory, config.window_bytes),
        owned_(std::make_unique<SendQueue>(config)),
        queue_(*owned_) {
    queue_.Open(2, &share_);
    queue_.SetPeerLimits(config.payload_bytes_max, kFeatureGroups);
  }

  SendOutcome Append(const Envelope& envelope) {
    const Appended appended = queue_.Append(2, envelope);
    wanted = appended.wanted;
    return appended.outcome;
  }
  SendOutcome AppendWith(const Envelope& envelope,
                         const RecordOptions& options) {
    const Appended appended = queue_.AppendWith(2, envelope, options);
    wanted = appended.wanted;
    return appended.outcome;
  }
  // The next frame of the lane.
  absl::optional<SendQueue::Taken> TakeAny(Lane lane, Want want = Want::kAny) {
    return queue_.Take(/*held_bytes=*/0,
                       [=](Lane each, std::size_t, const SendWindow::Sent*) {
                         return each == lane ? want : Want::kNothing;
                       });
  }
  // A batch that is there, and is one frame.
  Batch Take(Lane lane) {
    absl::optional<SendQueue::Taken> taken = TakeAny(lane);
    CLUSTER_CHECK(taken && !taken->sent.batch.large, "no batch to take");
    return std::move(taken->sent.batch);
  }
  Strings Payloads(Lane lane) { return PayloadsOf(config_, Take(lane)); }
  // The bytes of the lane's first frame; 0: it is empty.
  std::size_t FrontBytes(Lane lane) {
    std::size_t bytes = 0;
    queue_.Take(/*held_bytes=*/0, [&](Lane each, std::size_t body_bytes,
                                      const SendWindow::Sent*) {
      if (each == lane) bytes = body_bytes;
      return Want::kNothing;
    });
    return bytes;
  }
  bool Empty(Lane lane) { return FrontBytes(lane) == 0; }
  PeerStats Stats() const {
    PeerStats stats;
    queue_.AddTo(&stats);
    return stats;
  }
  std::uint64_t Dropped(DropReason reason) const {
    return Stats().Dropped(reason);
  }
  std::size_t bytes() const { return Stats().queued_bytes; }
  std::uint64_t envelopes() const { return Stats().queued; }
  SendQueue& operator*() { return queue_; }
  SendQueue* operator->() { return &queue_; }

  bool wanted = false;

 private:
  const SessionConfig& config_;
  MemoryShare share_;
  // Not on the stack: the address sanitizer of gcc does not align it so far.
  const std::unique_ptr<SendQueue> owned_;
  SendQueue& queue_;
};

TEST(SendQueue, ServesOneMemberWhileItIsOpen) {
  const SessionConfig config = TestSessionConfig(1, 2);
  MemoryShare share(config.memory, config.window_bytes);
  const auto owned = std::make_unique<SendQueue>(config);
  SendQueue& queue = *owned;
  EXPECT_EQ(queue.Append(2, Text("x")).outcome, SendOutcome::kRemoved);
  queue.Open(2, &share);
  EXPECT_EQ(queue.Append(2, Text("x")).outcome, SendOutcome::kAccepted);
  for (const std::size_t bytes : {1u, 5000u}) {
    const Envelope of_before = Text(std::string(bytes, 'x'));
    EXPECT_EQ(queue.Append(3, of_before).outcome, SendOutcome::kRemoved);
    EXPECT_EQ(queue.MayAppend(3, of_before), SendOutcome::kRemoved);
  }
  const SendMark mark = queue.Mark();
  EXPECT_FALSE(queue.Passed(mark));
  queue.Close(DropReason::kRemoved);
  EXPECT_TRUE(queue.Passed(mark));
  EXPECT_EQ(queue.Append(2, Text("x")).outcome, SendOutcome::kRemoved);
  PeerStats stats;
  queue.AddTo(&stats);
  EXPECT_EQ(stats.accepted, 1u);
  EXPECT_EQ(stats.Dropped(DropReason::kRemoved), 1u);
  queue.Open(3, &share);
  EXPECT_EQ(queue.Append(3, Text("x")).outcome, SendOutcome::kAccepted);
  EXPECT_TRUE(queue.Passed(mark));
  EXPECT_FALSE(queue.Passed(queue.Mark()));
  stats = PeerStats();
  queue.AddTo(&stats);
  EXPECT_EQ(stats.accepted, 1u);
  EXPECT_EQ(stats.Dropped(DropReason::kRemoved), 0u);
}

// Once, by the sender that brings it, and not while the session is about to
// look anyway.
TEST(SendQueue, SaysWhenTheSessionWaitsForWhatIsAppended) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  const auto wanted = [&](std::size_t bytes, Lane lane = Lane::kNormal) {
    EXPECT_EQ(queue.Append(Text(std::string(bytes, 'x'), lane)),
              SendOutcome::kAccepted);
    return queue.wanted;
  };
  EXPECT_FALSE(wanted(1));  // nobody has asked yet
  EXPECT_FALSE(wanted(5000));
  EXPECT_FALSE(wanted(5000));
  auto taken = queue.TakeAny(Lane::kNormal);
  ASSERT_TRUE(taken);
  EXPECT_TRUE(taken->more);
  EXPECT_FALSE(wanted(1));  // the session comes again
  while (taken->more) {
    taken = queue.TakeAny(Lane::kNormal);
    ASSERT_TRUE(taken);
  }
  EXPECT_FALSE(wanted(1, Lane::kBulk));  // only the other lane is asked for
  EXPECT_TRUE(wanted(1));
  EXPECT_FALSE(wanted(1));
  // The queue waits for a full batch, not for the records that are there.
  EXPECT_FALSE(queue.TakeAny(Lane::kNormal, Want::kFull));
  int more = 0;
  while (more < 20 && !wanted(100)) ++more;
  EXPECT_GT(more, 5);
  EXPECT_LT(more, 20);
  while (queue.TakeAny(Lane::kNormal)) {
  }
  EXPECT_FALSE(queue.TakeAny(Lane::kNormal, Want::kFull));
  EXPECT_FALSE(wanted(1));
  EXPECT_TRUE(wanted(5000));
  while (queue.TakeAny(Lane::kNormal)) {
  }
  queue->WantNothing();
  EXPECT_FALSE(wanted(1));
  EXPECT_FALSE(wanted(5000));
}

// Under drop_oldest a flush may wait for what is dropped.
TEST(SendQueue, SaysWhenSomethingWasDropped) {
  SessionConfig config = TestSessionConfig(1, 2);
  config.overflow = Overflow::kDropOldest;
  config.queue_bytes_max = 4000;
  Queue queue(config);
  while (queue.Dropped(DropReason::kOverflow) == 0) {
    EXPECT_FALSE(queue.wanted);
    ASSERT_EQ(queue.Append(Text(std::string(400, 'x'))),
              SendOutcome::kAccepted);
  }
  EXPECT_TRUE(queue.wanted);
}

// The next wish depends on the batch that is taken now.
TEST(SendQueue, AsksWhatIsWantedBehindWhatIsTaken) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  for (int i = 0; i < 2; ++i)
    ASSERT_EQ(queue.Append(Text(std::string(5000, 'x'))),
              SendOutcome::kAccepted);
  std::vector<std::size_t> ahead;
  const auto one_at_a_time = [&](Lane lane, std::size_t,
                                 const SendWindow::Sent* sent) {
    if (lane == Lane::kNormal) ahead.push_back(sent ? sent->body_bytes : 0);
    return sent == nullptr ? Want::kAny : Want::kNothing;
  };
  const auto taken = queue->Take(0, one_at_a_time);
  ASSERT_TRUE(taken);
  EXPECT_FALSE(taken->more);
  EXPECT_EQ(ahead, (std::vector<std::size_t>{0, taken->sent.body_bytes}));
}

// They leave in a copy, however they are taken, so that the buffer which the
// sender writes stays in its cache; large ones do not.
TEST(SendQueue, CopiesOnlyManySmallRecords) {
  const SessionConfig config = TestSessionConfig(1, 2);
  for (const std::size_t bytes : {20u, 400u}) {
    for (const Want want : {Want::kFull, Want::kAny}) {
      Queue queue(config);
      ASSERT_FALSE(queue.TakeAny(Lane::kNormal, want));
      for (int round = 0; round < 20; ++round) {
        for (std::size_t filled = 0; filled < config.frame_bytes * 3 / 4 ||
                                     (want == Want::kFull && !queue.wanted);
             filled += bytes) {
          ASSERT_EQ(queue.Append(Text(std::string(bytes, 'x'))),
                    SendOutcome::kAccepted);
        }
        const auto taken = queue.TakeAny(Lane::kNormal, want);
        ASSERT_TRUE(taken);
        // A copy is as large as it must be.
        EXPECT_EQ(taken->sent.batch.capacity == taken->sent.body_bytes,
                  bytes == 20)
            << round;
        queue.TakeAny(Lane::kNormal);
        ASSERT_FALSE(queue.TakeAny(Lane::kNormal, want));
      }
    }
  }
}

TEST(SendQueue, LosesNothingAmongThreads) {
  constexpr int kThreads = 3;
  constexpr int kEach = 2000;
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  Mutex session(LockRank::kPeer);   // held while taking
  std::map<std::string, int> next;  // of each sender
  int taken = 0;
  const auto take_all = [&] {
    MutexLock lock(&session);
    while (const auto one = queue.TakeAny(Lane::kNormal)) {
      for (const std::string& payload : PayloadsOf(config, one->sent.batch)) {
        const std::string sender = payload.substr(0, 1);
        ASSERT_EQ(payload, sender + ":" + std::to_string(next[sender]++));
        ++taken;
      }
    }
  };
  take_all();
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const Appended appended =
            queue->Append(2, Text(std::to_string(t) + ":" + std::to_string(i)));
        ASSERT_EQ(appended.outcome, SendOutcome::kAccepted);
        if (appended.wanted) take_all();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  // Nobody has to look again: each wake-up was said.
  EXPECT_EQ(taken, kThreads * kEach);
  EXPECT_TRUE(queue->Empty());
}

TEST(SendQueue, TakesNothingOnceItIsClosed) {
  const SessionConfig config = TestSessionConfig(1, 2);
  MemoryShare share(config.memory, config.window_bytes);
  const auto owned = std::make_unique<SendQueue>(config);
  SendQueue& queue = *owned;
  std::atomic<bool> stop{false};
  std::uint64_t accepted = 0;
  std::thread sender([&] {
    while (!stop) {
      if (queue.Append(2, Text("x")).outcome == SendOutcome::kAccepted)
        ++accepted;
    }
  });
  std::uint64_t dropped = 0;
  for (int i = 0; i < 20000; ++i) {
    queue.Open(2, &share);
    queue.Close(DropReason::kStopped);
    dropped += queue.dropped();
    EXPECT_TRUE(queue.Empty());
  }
  stop = true;
  sender.join();
  EXPECT_EQ(dropped, accepted);
}

TEST(SendQueue, BatchesAreFifoWithinALane) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  ASSERT_EQ(queue.Append(Text("a")), SendOutcome::kAccepted);
  ASSERT_EQ(queue.Append(Text("u", Lane::kUrgent)), SendOutcome::kAccepted);
  ASSERT_EQ(queue.Append(Text("b")), SendOutcome::kAccepted);
  EXPECT_EQ(queue.envelopes(), 3u);
  EXPECT_EQ(queue.Payloads(Lane::kNormal), (Strings{"a", "b"}));
  EXPECT_EQ(queue.Payloads(Lane::kUrgent), Strings{"u"});
  EXPECT_TRUE(queue->Empty());
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST(SendQueue, ABatchIsFullAtFrameBytes) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  const std::string payload(100, 'x');
  EXPECT_FALSE(queue.TakeAny(Lane::kNormal, Want::kFull));
  int appended = 0;
  for (; !queue.wanted; ++appended)
    ASSERT_EQ(queue.Append(Text(payload)), SendOutcome::kAccepted);
  EXPECT_GE(appended, 8);
  const absl::optional<SendQueue::Taken> full =
      queue.TakeAny(Lane::kNormal, Want::kFull);
  ASSERT_TRUE(full);
  EXPECT_FALSE(full->full_behind);
  EXPECT_LE(full->sent.body_bytes, config.frame_bytes);
  EXPECT_GE(full->sent.body_bytes, config.frame_bytes - 2 * 150);
}

TEST(SendQueue, SmallestFramesWork) {
  SessionConfig config = TestSessionConfig(1, 2);
  config.frame_bytes = 512;
  Queue queue(config);
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(queue.Append(Text(std::string(60, 'x'))), SendOutcome::kAccepted);
  std::uint64_t records = 0;
  while (!queue->Empty()) {
    const Batch batch = queue.Take(Lane::kNormal);
    EXPECT_LE(batch.body_bytes, 512u);
    records += batch.records;
  }
  EXPECT_EQ(records, 100u);
}

TEST(SendQueue, RejectsWhatDoesNotFit) {
  SessionConfig config = TestSessionConfig(1, 2);
  config.queue_bytes_max = 1000;
  Queue queue(config);
  ASSERT_EQ(queue.Append(Text(std::string(600, 'x'))), SendOutcome::kAccepted);
  const std::size_t before = queue.bytes();
  EXPECT_EQ(queue.Append(Text(std::string(600, 'x'))), SendOutcome::kFull);
  EXPECT_EQ(queue.bytes(), before);
  EXPECT_EQ(queue.envelopes(), 1u);
}

TEST(SendQueue, AnEmptyQueueTakesAnyPayload) {
  SessionConfig config = TestSessionConfig(1, 2);
  config.queue_bytes_max = 1000;
  Queue queue(config);
  EXPECT_EQ(queue.Append(Text(std::string(5000, 'x'))), SendOutcome::kAccepted);
  EXPECT_EQ(queue.Append(Text("y")), SendOutcome::kFull);
}

TEST(SendQueue, LessUrgentLanesShutNobodyOut) {
  SessionConfig config = TestSessionConfig(1, 2);
  config.queue_bytes_max = 2000;
  Queue queue(config);
  ASSERT_EQ(queue.Append(Text(std::string(5000, 'b'), Lane::kBulk)),
            SendOutcome::kAccepted);
  EXPECT_EQ(queue.Append(Text("b", Lane::kBulk)), SendOutcome::kFull);
  for (Lane lane : {Lane::kUrgent, Lane::kNormal}) {
    EXPECT_EQ(queue->MayAppend(2, Text("x", lane)), SendOutcome::kAccepted);
    EXPECT_EQ(queue.Append(Text("x", lane)), SendOutcome::kAccepted);
    // Its share is an eighth, and used up at some time.
    EXPECT_EQ(queue.Append(Text(std::string(250, 'x'), lane)),
              SendOutcome::kFull);
    queue.Take(lane);
    EXPECT_EQ(queue.Append(Text(std::string(150, 'x'), lane)),
              SendOutcome::kAccepted);
  }
}

TEST(SessionConfig, FourChunksMayBeInFlight) {
  const Config defaults;
  const std::size_t chunk =
      ChunkBytes(defaults.frame_bytes, defaults.inflight_bytes);
  EXPECT_LE(4 * FrameCharge(chunk), defaults.inflight_bytes);
  EXPECT_GT(chunk, 1u << 20);  // and the fields of a payload of 1 MiB
}

// For the first of several peers it is encoded, and then it is the same bytes.
TEST(SendQueue, ALargePayloadForSeveralIsEncodedOnce) {
  const SessionConfig config = TestSessionConfig(1, 2);
  const Envelope large = Text(std::string(50000, 'x'), Lane::kBulk);
  Queue own(config), first(config), second(config);
  ASSERT_EQ(own.Append(large), SendOutcome::kAccepted);
  absl::optional<Batch> encoded;
  for (Queue* queue : {&first, &second}) {
    ASSERT_EQ((*queue)->AppendLarge(2, large, &encoded).outcome,
              SendOutcome::kAccepted);
    EXPECT_EQ(queue->bytes(), own.bytes());
    EXPECT_EQ(queue->envelopes(), 1u);
  }
  const auto of_own = own.TakeAny(Lane::kBulk);
  const auto of_first = first.TakeAny(Lane::kBulk);
  const auto of_second = second.TakeAny(Lane::kBulk);
  const auto body = [](const SendQueue::Taken& taken) {
    return taken.sent.batch.PiecesOf(taken.sent.offset, taken.sent.body_bytes)
        .in;
  };
  EXPECT_EQ(body(*of_own), body(*of_first));
  EXPECT_EQ(body(*of_first).data(), body(*of_second).data());
  EXPECT_NE(of_first->sent.header_place(), of_second->sent.header_place());
}

TEST(SendQueue, ALargePayloadIsRefusedWithoutRoom) {
  SessionConfig config = TestSessionConfig(1, 2);
  config.queue_bytes_max = 60000;
  const Envelope large = Text(std::string(50000, 'x'));
  Queue queue(config);
  ASSERT_EQ(queue.Append(large), SendOutcome::kAccepted);
  absl::optional<Batch> encoded;
  EXPECT_EQ(queue->AppendLarge(2, large, &encoded).outcome, SendOutcome::kFull);
  EXPECT_FALSE(encoded);  // for nothing
  EXPECT_EQ(queue.envelopes(), 1u);
}

// Batches for several peers, of a few records or of many.
TEST(SendQueue, WhatIsSharedKeepsOrderAndSize) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  Strings expected, taken;
  for (std::size_t i = 0; i < 60; ++i) {
    expected.push_back(std::string(i, 'o') + "own");
    ASSERT_EQ(queue.Append(Text(expected.back())), SendOutcome::kAccepted);
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
    Sum(&batch);
    if (batch.records > 0) queue->AppendShared(batch, encode);
  }
  EXPECT_EQ(queue.envelopes(), expected.size());
  bool shared = false, own = false;
  while (!queue->Empty()) {
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
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  EXPECT_EQ(queue.Append(Text(std::string(config.payload_bytes_max + 1, 'x'))),
            SendOutcome::kTooLarge);
  EXPECT_EQ(queue.Append(Text(std::string(config.payload_bytes_max, 'x'))),
            SendOutcome::kAccepted);
}

TEST(SendQueue, DropOldestMakesRoomBulkFirst) {
  SessionConfig config = TestSessionConfig(1, 2);
  config.overflow = Overflow::kDropOldest;
  config.queue_bytes_max = 4000;
  Queue queue(config);
  ASSERT_EQ(queue.Append(Text(std::string(1500, 'n'))), SendOutcome::kAccepted);
  ASSERT_EQ(queue.Append(Text(std::string(1500, 'b'), Lane::kBulk)),
            SendOutcome::kAccepted);
  ASSERT_EQ(queue.Append(Text(std::string(1500, 'm'))), SendOutcome::kAccepted);
  EXPECT_EQ(queue.Dropped(DropReason::kOverflow), 1u);
  EXPECT_TRUE(queue.Empty(Lane::kBulk));
  ASSERT_EQ(queue.Append(Text(std::string(1500, 'o'))), SendOutcome::kAccepted);
  EXPECT_EQ(queue.Dropped(DropReason::kOverflow), 2u);
  EXPECT_EQ(queue.Payloads(Lane::kNormal), Strings{std::string(1500, 'm')});
}

TEST(SendQueue, DropOldestKeepsWhatIsMoreUrgentThanTheNewcomer) {
  SessionConfig config = TestSessionConfig(1, 2);
  config.overflow = Overflow::kDropOldest;
  config.queue_bytes_max = 4000;
  Queue queue(config);
  for (Lane lane : {Lane::kUrgent, Lane::kNormal}) {
    ASSERT_EQ(queue.Append(Text(std::string(1500, 'x'), lane)),
              SendOutcome::kAccepted);
  }
  EXPECT_EQ(queue.Append(Text(std::string(1500, 'b'), Lane::kBulk)),
            SendOutcome::kFull);
  EXPECT_EQ(queue.Dropped(DropReason::kOverflow), 0u);
  EXPECT_EQ(queue.Append(Text(std::string(1500, 'u'), Lane::kUrgent)),
            SendOutcome::kAccepted);
  EXPECT_EQ(queue.Dropped(DropReason::kOverflow), 1u);
  EXPECT_TRUE(queue.Empty(Lane::kNormal));
}

TEST(SendQueue, DropOldestDropsNothingWhereThatMakesNoRoom) {
  SessionConfig config = TestSessionConfig(1, 2);
  config.overflow = Overflow::kDropOldest;
  config.queue_bytes_max = 10000;
  Queue queue(config);
  ASSERT_EQ(queue.Append(Text(std::string(7000, 'b'), Lane::kBulk)),
            SendOutcome::kAccepted);
  ASSERT_TRUE(queue.TakeAny(Lane::kBulk));  // the first chunk
  ASSERT_EQ(queue.Append(Text(std::string(2000, 'n'))), SendOutcome::kAccepted);
  EXPECT_EQ(queue.Append(Text(std::string(5000, 'm'))), SendOutcome::kFull);
  EXPECT_EQ(queue.Dropped(DropReason::kOverflow), 0u);
}

TEST(SendQueue, WhatWasSentInPartIsNotDropped) {
  SessionConfig config = TestSessionConfig(1, 2);
  config.overflow = Overflow::kDropOldest;
  config.queue_bytes_max = 10000;
  Queue queue(config);
  ASSERT_EQ(queue.Append(Text(std::string(9000, 'n'))), SendOutcome::kAccepted);
  ASSERT_TRUE(queue.TakeAny(Lane::kNormal));  // the first chunk
  EXPECT_EQ(queue.Append(Text(std::string(2000, 'm'))), SendOutcome::kFull);
  queue->Restart();
  EXPECT_EQ(queue.Append(Text(std::string(2000, 'm'))), SendOutcome::kAccepted);
  EXPECT_EQ(queue.Dropped(DropReason::kOverflow), 1u);
}

TEST(SendQueue, ALargeRecordIsCutToItsEnd) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  ASSERT_EQ(queue.Append(Text("before")), SendOutcome::kAccepted);
  ASSERT_EQ(queue.Append(Text(std::string(9000, 'x'))), SendOutcome::kAccepted);
  ASSERT_EQ(queue.Append(Text("after")), SendOutcome::kAccepted);
  EXPECT_EQ(queue.Payloads(Lane::kNormal), Strings{"before"});
  const std::size_t bytes = queue.bytes();
  std::size_t cut = 0;
  bool last = false;
  while (!last) {
    EXPECT_EQ(queue.bytes(), bytes);
    const auto taken = queue.TakeAny(Lane::kNormal);
    ASSERT_TRUE(taken && taken->sent.batch.large);
    EXPECT_EQ(taken->sent.offset, cut);
    cut += taken->sent.body_bytes;
    last = taken->sent.last_chunk();
    EXPECT_EQ(taken->sent.envelopes, last ? 1u : 0u);
    EXPECT_EQ(taken->full_behind, !last);
  }
  EXPECT_GT(cut, 9000u);
  EXPECT_EQ(queue.Payloads(Lane::kNormal), Strings{"after"});
  EXPECT_EQ(queue.envelopes(), 0u);
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST(SendQueue, WhatIsPutInFrontComesFirstAndTakesNoMore) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  ASSERT_EQ(queue.Append(Text("a")), SendOutcome::kAccepted);
  Batch first = queue.Take(Lane::kNormal);
  ASSERT_EQ(queue.Append(Text("b")), SendOutcome::kAccepted);
  queue->PutBack(std::move(first), true);
  ASSERT_EQ(queue.Append(Text("c")), SendOutcome::kAccepted);
  EXPECT_EQ(queue.Payloads(Lane::kNormal), Strings{"a"});
  EXPECT_EQ(queue.Payloads(Lane::kNormal), (Strings{"b", "c"}));

  // Also when it is alone in its lane.
  ASSERT_EQ(queue.Append(Text("d")), SendOutcome::kAccepted);
  queue->PutBack(queue.Take(Lane::kNormal), true);
  ASSERT_EQ(queue.Append(Text("e")), SendOutcome::kAccepted);
  EXPECT_EQ(queue.Payloads(Lane::kNormal), Strings{"d"});
  EXPECT_EQ(queue.Payloads(Lane::kNormal), Strings{"e"});
}

TEST(SendQueue, WhatIsTooLargeForThePeerIsDroppedFromItsBatch) {
  SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  const std::string most(300, 'm'), more(301, 'x');
  for (const std::string& payload : {std::string("a"), more, most, more})
    ASSERT_EQ(queue.Append(Text(payload)), SendOutcome::kAccepted);
  queue->SetPeerLimits(301, kFeatureGroups);
  Batch whole = queue.Take(Lane::kNormal);
  EXPECT_EQ(whole.records, 4u);
  queue->PutBack(std::move(whole), true);
  EXPECT_EQ(queue.Dropped(DropReason::kTooLarge), 0u);
  queue->SetPeerLimits(300, kFeatureGroups);
  EXPECT_EQ(queue.Append(Text(more)), SendOutcome::kTooLarge);
  EXPECT_EQ(queue.Payloads(Lane::kNormal), (Strings{"a", most}));
  EXPECT_EQ(queue.Dropped(DropReason::kTooLarge), 2u);
  EXPECT_EQ(queue.envelopes(), 0u);
  EXPECT_EQ(queue.bytes(), 0u);

  // Nothing left of the batch; a large record.
  for (const std::string& payload : {more, std::string(9000, 'l')}) {
    queue->SetPeerLimits(config.payload_bytes_max, kFeatureGroups);
    ASSERT_EQ(queue.Append(Text(payload)), SendOutcome::kAccepted);
    queue->SetPeerLimits(payload.size() - 1, kFeatureGroups);
    EXPECT_FALSE(queue.TakeAny(Lane::kNormal));
    EXPECT_TRUE(queue->Empty());
    EXPECT_EQ(queue.bytes(), 0u);
  }
  EXPECT_EQ(queue.Dropped(DropReason::kTooLarge), 4u);
}

Envelope Grouped(const std::string& payload) {
  Envelope envelope = Text(payload);
  envelope.group = 1;
  return envelope;
}

// Nor does what the peer does not understand drag along what it does.
TEST(SendQueue, WhatThePeerDoesNotUnderstandIsDroppedFromItsBatch) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  const auto append = [&] {
    for (const char* payload : {"a", "b", "c", "d"}) {
      ASSERT_EQ(queue.Append(payload[0] % 2 ? Text(payload) : Grouped(payload)),
                SendOutcome::kAccepted);
    }
  };
  const auto dropped = [&] { return queue.Dropped(DropReason::kUnsupported); };
  // It is an open batch, and then a closed one.
  for (const bool open : {true, false}) {
    queue->SetPeerLimits(300, kFeatureGroups);
    append();
    if (!open) queue->PutBack(queue.Take(Lane::kNormal), true);
    const std::uint64_t before = dropped();
    queue->SetPeerLimits(300, 0);
    EXPECT_EQ(queue.Payloads(Lane::kNormal), (Strings{"a", "c"}));
    EXPECT_EQ(dropped(), before + 2);
  }

  // Nothing is left; both reasons in one; a large record.
  ASSERT_EQ(queue.Append(Grouped("e")), SendOutcome::kAccepted);
  EXPECT_FALSE(queue.TakeAny(Lane::kNormal));
  EXPECT_TRUE(queue->Empty());
  EXPECT_EQ(dropped(), 5u);
  queue->SetPeerLimits(9000, 0);
  ASSERT_EQ(queue.Append(Grouped(std::string(301, 'x'))),
            SendOutcome::kAccepted);
  ASSERT_EQ(queue.Append(Text(std::string(301, 'x'))), SendOutcome::kAccepted);
  queue->SetPeerLimits(300, 0);
  EXPECT_FALSE(queue.TakeAny(Lane::kNormal));
  EXPECT_EQ(dropped(), 6u);
  EXPECT_EQ(queue.Dropped(DropReason::kTooLarge), 1u);
  queue->SetPeerLimits(9000, 0);
  ASSERT_EQ(queue.Append(Grouped(std::string(9000, 'l'))),
            SendOutcome::kAccepted);
  EXPECT_FALSE(queue.TakeAny(Lane::kNormal));
  EXPECT_EQ(dropped(), 7u);
  EXPECT_TRUE(queue->Empty());
  EXPECT_EQ(queue.bytes(), 0u);
}

// A frame that is still on its way shares the buffer of its batch. A batch that is
// taken again must not write its header there.
TEST(SendQueue, ABatchTakenAgainHasABufferOfItsOwn) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  ASSERT_EQ(queue.Append(Text("a")), SendOutcome::kAccepted);
  Batch batch = queue.Take(Lane::kNormal);
  const std::shared_ptr<char> on_its_way = batch.buffer;
  queue->PutBack(std::move(batch), true);
  const Batch again = queue.Take(Lane::kNormal);
  EXPECT_NE(again.buffer, on_its_way);
  EXPECT_EQ(PayloadsOf(config, again), Strings{"a"});
}

// The payloads begin with what the ordinals must be.
class Numbered {
 public:
  explicit Numbered(const SessionConfig& config)
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
    if (queue_.Append(Text(Next(lane, bytes), lane)) == SendOutcome::kAccepted)
      Accepted(lane);
  }
  void AppendShared(int count, std::size_t bytes) {
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
    if (open.empty() ||
        queue_.bytes() + open.batch().body_bytes > config_.queue_bytes_max)
      return;
    const EncodeState encode = open.encode();
    Batch batch = open.Release();
    Sum(&batch);
    batch.shared = true;
    queue_->AppendShared(batch, encode);
    Accepted(Lane::kNormal, static_cast<std::uint64_t>(count));
  }
  // Drops them where they would be taken.
  void DropTooLarge(Lane lane) {
    queue_->SetPeerLimits(40, kFeatureGroups);
    Taken(queue_.TakeAny(lane));
    queue_->SetPeerLimits(config_.payload_bytes_max, kFeatureGroups);
  }
  // Takes some, and puts the first few back. A large record whole.
  void TakeSome(Lane lane, std::size_t count, std::size_t kept) {
    std::vector<Batch> batches;
    while (batches.size() < count && !queue_.Empty(lane)) {
      SendQueue::Taken taken = *Taken(queue_.TakeAny(lane));
      while (taken.sent.batch.large && !taken.sent.last_chunk())
        taken = *queue_.TakeAny(lane);
      batches.push_back(std::move(taken.sent.batch));
    }
    while (batches.size() > kept) {
      queue_->PutBack(std::move(batches.back()), true);
      batches.pop_back();
    }
  }
  // The mark is right, and all before the front is passed.
  void ExpectMark() {
    const SendMark mark = queue_->Mark();
    ASSERT_EQ(mark, accepted_);
    ASSERT_EQ(queue_->Passed(mark), queue_->Empty());
  }

 private:
  // Its first record has the ordinal that it says, and all before it has passed.
  absl::optional<SendQueue::Taken> Taken(
      absl::optional<SendQueue::Taken> taken) {
    if (!taken) return taken;
    const Batch& batch = taken->sent.batch;
    const std::string number = std::to_string(batch.first_ordinal) + ".";
    if (batch.large) {
      EXPECT_NE(batch.PiecesOf(0, 100).in.find(number),
                absl::string_view::npos);
      return taken;
    }
    absl::string_view body = batch.body();
    DecodeState state;
    EXPECT_TRUE(config_.codec->NextRecord(&body, &state).ok());
    EXPECT_EQ(std::string(state.envelope.payload.substr(0, number.size())),
              number);
    SendMark before{};
    before[static_cast<std::size_t>(batch.lane)] = batch.first_ordinal;
    EXPECT_TRUE(queue_->Passed(before));
    return taken;
  }

  const SessionConfig& config_;
  Queue queue_;
  SendMark accepted_{};
};

TEST(SendQueue, OrdinalsSurviveWhateverHappens) {
  for (const Overflow overflow : {Overflow::kReject, Overflow::kDropOldest}) {
    SessionConfig config = TestSessionConfig(1, 2);
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
          numbered.AppendShared(static_cast<int>(1 + below(20)), below(60));
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
      numbered.ExpectMark();
      if (HasFailure()) FAIL() << "at step " << step;
    }
  }
}

RecordOptions Replaces(std::uint64_t key, std::uint64_t group = 0) {
  RecordOptions options;
  options.replaces = key;
  options.group = group;
  return options;
}

RecordOptions ExpiresAt(absl::Time at) {
  RecordOptions options;
  options.expires_at = at;
  return options;
}

TEST(SendQueueOptions, ANewerOneWaitsAtTheEndAndTheOlderIsDropped) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  ASSERT_EQ(queue.Append(Text("a")), SendOutcome::kAccepted);
  ASSERT_EQ(queue.AppendWith(Text("old"), Replaces(1)), SendOutcome::kAccepted);
  ASSERT_EQ(queue.Append(Text("b")), SendOutcome::kAccepted);
  EXPECT_FALSE(queue.wanted);
  ASSERT_EQ(queue.AppendWith(Text("new"), Replaces(1)), SendOutcome::kAccepted);
  EXPECT_TRUE(queue.wanted);  // somebody may wait for the one that was dropped
  ASSERT_EQ(queue.Append(Text("c")), SendOutcome::kAccepted);
  EXPECT_EQ(queue.envelopes(), 4u);
  EXPECT_EQ(queue.Dropped(DropReason::kSuperseded), 1u);
  // One frame.
  EXPECT_EQ(queue.Payloads(Lane::kNormal), (Strings{"a", "b", "new", "c"}));
  EXPECT_EQ(queue.envelopes(), 0u);
  EXPECT_EQ(queue.bytes(), 0u);
  // It was taken, so it is replaced no more.
  ASSERT_EQ(queue.AppendWith(Text("next"), Replaces(1)),
            SendOutcome::kAccepted);
  EXPECT_EQ(queue.Dropped(DropReason::kSuperseded), 1u);
  EXPECT_EQ(queue.Stats().accepted, 6u);
}

TEST(SendQueueOptions, AKeyIsOfOneLaneAndOneGroup) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t key : {1u, 2u}) {
      for (std::uint64_t group : {0u, 7u}) {
        for (Lane lane : kLanesByUrgency)
          ASSERT_EQ(queue.AppendWith(Text("x", lane), Replaces(key, group)),
                    SendOutcome::kAccepted);
      }
    }
    ASSERT_EQ(queue.AppendWith(Text("x"), Replaces(0)), SendOutcome::kAccepted);
    EXPECT_EQ(queue.Dropped(DropReason::kSuperseded), round == 0 ? 0u : 12u);
  }
  EXPECT_EQ(queue.envelopes(), 14u);
}

TEST(SendQueueOptions, AThousandHeartbeatsForADeadPeerAreOne) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  ASSERT_EQ(queue.Append(Text("first")), SendOutcome::kAccepted);
  std::size_t bytes = 0;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(queue.AppendWith(Text("heartbeat"), Replaces(1)),
              SendOutcome::kAccepted);
    if (i == 0) bytes = queue.bytes();
    ASSERT_EQ(queue.bytes(), bytes);
  }
  EXPECT_EQ(queue.envelopes(), 2u);
  EXPECT_EQ(queue.Payloads(Lane::kNormal), (Strings{"first", "heartbeat"}));
}

// Many groups: their heartbeats are few frames, as plain envelopes would be.
TEST(SendQueueOptions, EnvelopesWithOptionsShareFrames) {
  SessionConfig config = TestSessionConfig(1, 2);
  config.frame_bytes = 16 << 10;
  config.queue_bytes_max = 1 << 20;
  Queue queue(config);
  EXPECT_FALSE(queue.TakeAny(Lane::kNormal, Want::kFull));
  constexpr std::uint64_t kGroups = 1000;
  std::uint64_t appended = 0;
  while (!queue.wanted) {
    ASSERT_EQ(queue.AppendWith(Text("beat"), Replaces(1, ++appended)),
              SendOutcome::kAccepted);
  }
  EXPECT_GT(appended, 20u);
  while (appended < kGroups)
    ASSERT_EQ(queue.AppendWith(Text("beat"), Replaces(1, ++appended)),
              SendOutcome::kAccepted);
  int frames = 0;
  std::uint64_t records = 0;
  for (; !queue->Empty(); ++frames) {
    const auto taken = queue.TakeAny(Lane::kNormal);
    ASSERT_TRUE(taken);
    EXPECT_LE(taken->sent.body_bytes, config.frame_bytes);
    records += taken->sent.envelopes;
  }
  EXPECT_EQ(records, kGroups);
  EXPECT_LE(frames, 4);
}

// The session decides by it whether the frame fits into the window.
TEST(SendQueueOptions, TheSessionHearsHowLargeAFrameOfSeveralIs) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  for (int i = 0; i < 30; ++i) {
    ASSERT_EQ(queue.AppendWith(Text(std::string(90, 'x')), Replaces(0)),
              SendOutcome::kAccepted);
    ASSERT_EQ(queue.Append(Text("plain")), SendOutcome::kAccepted);
  }
  while (!queue->Empty()) {
    const std::size_t bytes = queue.FrontBytes(Lane::kNormal);
    EXPECT_EQ(queue.TakeAny(Lane::kNormal)->sent.body_bytes, bytes);
  }
}

TEST(SendQueueOptions, WhatExpiredIsNotTakenAndNotWaitedFor) {
  absl::Time now = absl::UnixEpoch() + absl::Seconds(100);
  SessionConfig config = TestSessionConfig(1, 2);
  config.clock = [&] { return now; };
  Queue queue(config);
  const absl::Time end = now + absl::Seconds(1);
  ASSERT_EQ(queue.Append(Text("a")), SendOutcome::kAccepted);
  ASSERT_EQ(queue.AppendWith(Text("brief"), ExpiresAt(end)),
            SendOutcome::kAccepted);
  ASSERT_EQ(queue.AppendWith(Text(std::string(9000, 'l')), ExpiresAt(end)),
            SendOutcome::kAccepted);
  ASSERT_EQ(queue.AppendWith(Text("later"), ExpiresAt(end + absl::Seconds(1))),
            SendOutcome::kAccepted);
  EXPECT_EQ(queue->expires_ns(), absl::ToUnixNanos(end));
  now = end - absl::Nanoseconds(1);
  queue->SetTransmitted(0);
  EXPECT_EQ(queue.envelopes(), 4u);
  now = end;
  queue->SetTransmitted(0);
  EXPECT_EQ(queue.envelopes(), 2u);
  EXPECT_EQ(queue.Dropped(DropReason::kExpired), 2u);
  EXPECT_EQ(queue->expires_ns(), absl::ToUnixNanos(end + absl::Seconds(1)));
  now += absl::Seconds(1);
  EXPECT_EQ(queue.Payloads(Lane::kNormal), Strings{"a"});
  EXPECT_EQ(queue.Dropped(DropReason::kExpired), 3u);
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST(SendQueueOptions, WhatExpiredMakesRoomForOthers) {
  for (const Overflow overflow : {Overflow::kReject, Overflow::kDropOldest}) {
    absl::Time now = absl::UnixEpoch();
    SessionConfig config = TestSessionConfig(1, 2);
    config.overflow = overflow;
    config.clock = [&] { return now; };
    Queue queue(config);
    ASSERT_EQ(queue.Append(Text("kept")), SendOutcome::kAccepted);
    const std::string some(400, 's');
    std::uint64_t expiring = 0;
    while (queue.bytes() + 1000 < config.queue_bytes_max) {
      ASSERT_EQ(
          queue.AppendWith(Text(some), ExpiresAt(absl::FromUnixSeconds(5))),
          SendOutcome::kAccepted);
      ++expiring;
    }
    const std::string large(9000, 'l');
    if (overflow == Overflow::kReject) {
      EXPECT_EQ(queue.Append(Text(large)), SendOutcome::kFull);
    }
    now = absl::FromUnixSeconds(5);
    EXPECT_EQ(queue.Append(Text(large)), SendOutcome::kAccepted);
    EXPECT_EQ(queue.Dropped(DropReason::kExpired), expiring);
    EXPECT_EQ(queue.Dropped(DropReason::kOverflow), 0u);
    // And so for small ones, which look at the bounds only now and then.
    while (queue.bytes() + 1000 < config.queue_bytes_max)
      ASSERT_EQ(
          queue.AppendWith(Text(some), ExpiresAt(absl::FromUnixSeconds(9))),
          SendOutcome::kAccepted);
    now = absl::FromUnixSeconds(9);
    for (int i = 0; i < 40; ++i)
      EXPECT_EQ(queue.Append(Text(some)), SendOutcome::kAccepted);
    EXPECT_EQ(queue.Dropped(DropReason::kOverflow), 0u);
  }
}

// Else a sender that waits for room would not wait, and find none.
TEST(SendQueueOptions, MayAppendKnowsWhatAppendWithNeeds) {
  const SessionConfig config = TestSessionConfig(1, 2);
  for (std::size_t bytes = 1; bytes < 400; bytes += 7) {
    Queue queue(config);
    while (queue.Append(Text(std::string(bytes, 'x'))) ==
           SendOutcome::kAccepted) {
    }
    while (queue->MayAppend(2, Text("z"), /*with_options=*/true) ==
           SendOutcome::kAccepted) {
      ASSERT_EQ(queue.AppendWith(Text("z"), Replaces(0)),
                SendOutcome::kAccepted);
    }
  }
}

TEST(SendQueueOptions, WithoutRoomTheOlderOneStays) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  ASSERT_EQ(queue.AppendWith(Text("older"), Replaces(1)),
            SendOutcome::kAccepted);
  while (queue.Append(Text(std::string(400, 'x'), Lane::kBulk)) ==
         SendOutcome::kAccepted) {
  }
  const std::uint64_t envelopes = queue.envelopes();
  const std::size_t bytes = queue.bytes();
  const Envelope large = Text(std::string(20000, 'l'));
  EXPECT_EQ(queue.AppendWith(large, Replaces(1)), SendOutcome::kFull);
  EXPECT_EQ(queue.AppendWith(large, Replaces(2)), SendOutcome::kFull);
  EXPECT_EQ(queue.envelopes(), envelopes);
  EXPECT_EQ(queue.bytes(), bytes);
  EXPECT_EQ(queue.Dropped(DropReason::kSuperseded), 0u);
  // One as large as the older fits, however full the queue is.
  EXPECT_EQ(queue.AppendWith(Text("newer"), Replaces(1)),
            SendOutcome::kAccepted);
  EXPECT_EQ(queue.Payloads(Lane::kNormal), Strings{"newer"});
}

// It is in a frame with a number, and options touch it no more. Sent again to a
// new life, it is as if it had never been.
TEST(SendQueueOptions, CountAgainForANewSession) {
  absl::Time now = absl::UnixEpoch();
  SessionConfig config = TestSessionConfig(1, 2);
  config.clock = [&] { return now; };
  for (const bool replaced : {false, true}) {
    now = absl::UnixEpoch();
    Queue queue(config);
    ASSERT_EQ(queue.Append(Text("plain")), SendOutcome::kAccepted);
    ASSERT_EQ(
        queue.AppendWith(Text("brief"), ExpiresAt(absl::FromUnixSeconds(3))),
        SendOutcome::kAccepted);
    ASSERT_EQ(queue.AppendWith(Text("beat1"), Replaces(1)),
              SendOutcome::kAccepted);
    ASSERT_EQ(queue.AppendWith(Text("other"), Replaces(2)),
              SendOutcome::kAccepted);
    Batch taken = queue.Take(Lane::kNormal);
    EXPECT_EQ(taken.records, 4u);
    if (replaced) {
      ASSERT_EQ(queue.AppendWith(Text("beat2"), Replaces(1)),
                SendOutcome::kAccepted);
    }
    now = absl::FromUnixSeconds(3);
    queue->SetTransmitted(0);
    EXPECT_EQ(queue->dropped(), 0u);
    const SendMark mark = queue->Mark();
    queue->Restart();
    queue->PutBack(std::move(taken), true);
    EXPECT_EQ(queue->Resume(), replaced ? 1u : 0u);
    EXPECT_FALSE(queue->Passed(mark));
    ASSERT_EQ(queue.AppendWith(Text("newest"), Replaces(2)),
              SendOutcome::kAccepted);
    EXPECT_EQ(queue.Dropped(DropReason::kSuperseded), replaced ? 2u : 1u);
    EXPECT_EQ(queue.Payloads(Lane::kNormal),
              (Strings{"plain", replaced ? "beat2" : "beat1", "newest"}));
    EXPECT_EQ(queue.Dropped(DropReason::kExpired), 1u);
    EXPECT_TRUE(queue->Passed(queue->Mark()));
    EXPECT_EQ(queue.bytes(), 0u);
    const PeerStats stats = queue.Stats();
    EXPECT_EQ(stats.accepted, replaced ? 6u : 5u);
  }
}

// An earlier life of the peer may have acted on what is sent again.
TEST(SendQueueOptions, OnlyWhatWasNeverTransmittedIsWithdrawn) {
  const SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  ASSERT_EQ(queue.AppendWith(Text("sent"), Replaces(1)),
            SendOutcome::kAccepted);
  Batch taken = queue.Take(Lane::kNormal);
  EXPECT_FALSE(queue->Withdraw(2, Lane::kNormal, 0, 1));
  ASSERT_EQ(queue.AppendWith(Text("waits"), Replaces(2)),
            SendOutcome::kAccepted);
  queue->Restart();
  queue->PutBack(std::move(taken), true);
  queue->Resume();
  EXPECT_FALSE(queue->Withdraw(2, Lane::kNormal, 0, 1));
  EXPECT_TRUE(queue->Withdraw(2, Lane::kNormal, 0, 2));
  EXPECT_EQ(queue.Payloads(Lane::kNormal), Strings{"sent"});
  EXPECT_EQ(queue.Dropped(DropReason::kWithdrawn), 1u);
}

TEST(SendQueueOptions, ALargeOneThatIsCutInPartIsTouchedNoMore) {
  absl::Time now = absl::UnixEpoch();
  SessionConfig config = TestSessionConfig(1, 2);
  config.clock = [&] { return now; };
  Queue queue(config);
  RecordOptions options = Replaces(1);
  options.expires_at = absl::FromUnixSeconds(3);
  const Envelope large = Text(std::string(9000, 'l'));
  ASSERT_EQ(queue.AppendWith(large, options), SendOutcome::kAccepted);
  Batch chunk = queue.TakeAny(Lane::kNormal)->sent.batch;
  ASSERT_TRUE(chunk.large);
  now = absl::FromUnixSeconds(4);
  ASSERT_EQ(queue.AppendWith(Text("newer"), Replaces(1)),
            SendOutcome::kAccepted);
  EXPECT_EQ(queue->dropped(), 0u);
  EXPECT_TRUE(queue.TakeAny(Lane::kNormal)->sent.batch.large);
  queue->Restart();
  queue->PutBack(std::move(chunk), true);
  EXPECT_EQ(queue->Resume(), 0u);  // it was not transmitted whole
  EXPECT_EQ(queue.Dropped(DropReason::kSuperseded), 1u);
  EXPECT_EQ(queue.Payloads(Lane::kNormal), Strings{"newer"});
  EXPECT_EQ(queue.envelopes(), 0u);
}

TEST(SendQueueOptions, WhatAPeerDoesNotTakeIsDroppedAlone) {
  SessionConfig config = TestSessionConfig(1, 2);
  Queue queue(config);
  for (const std::string& payload :
       {std::string("a"), std::string(300, 'x'), std::string("b")})
    ASSERT_EQ(queue.AppendWith(Text(payload), Replaces(0)),
              SendOutcome::kAccepted);
  ASSERT_EQ(queue.AppendWith(Grouped("g"), Replaces(1, 1)),
            SendOutcome::kAccepted);
  ASSERT_EQ(queue.Append(Text("c")), SendOutcome::kAccepted);
  queue->SetPeerLimits(200, 0);
  Strings all;
  while (const auto taken = queue.TakeAny(Lane::kNormal)) {
    for (const std::string& payload : PayloadsOf(config, taken->sent.batch))
      all.push_back(payload);
  }
  EXPECT_EQ(all, (Strings{"a", "b", "c"}));
  EXPECT_EQ(queue.Dropped(DropReason::kTooLarge), 1u);
  EXPECT_EQ(queue.Dropped(DropReason::kUnsupported), 1u);
  EXPECT_EQ(queue.bytes(), 0u);
  // So is a plain one that was closed before one with options.
  ASSERT_EQ(queue.Append(Grouped("g")), SendOutcome::kAccepted);
  ASSERT_EQ(queue.AppendWith(Text("d"), Replaces(0)), SendOutcome::kAccepted);
  EXPECT_EQ(queue.Payloads(Lane::kNormal), Strings{"d"});
  EXPECT_EQ(queue.Dropped(DropReason::kUnsupported), 2u);
  EXPECT_EQ(queue.bytes(), 0u);
  // It left, so there is nothing to replace.
  ASSERT_EQ(queue.AppendWith(Grouped("g"), Replaces(1, 1)),
            SendOutcome::kAccepted);
  EXPECT_EQ(queue.Dropped(DropReason::kSuperseded), 0u);
}

// Against a list that does the same the simple way.
TEST(SendQueueOptions, RandomStepsAgreeWithAList) {
  struct Entry {
    std::string payload;
    RecordOptions options;
  };
  for (unsigned seed = 0; seed < 20; ++seed) {
    absl::Time now = absl::UnixEpoch();
    SessionConfig config = TestSessionConfig(1, 2);
    config.queue_bytes_max = 8 << 20;
    config.clock = [&] { return now; };
    Queue queue(config);
    std::vector<Entry> list;
    std::uint64_t superseded = 0;
    std::uint64_t expired = 0;
    std::uint64_t last = 0;
    std::mt19937 random(seed);
    const auto below = [&](unsigned bound) { return random() % bound; };
    const auto drop = [&](std::uint64_t* count, const auto& which) {
      const auto end = std::remove_if(list.begin(), list.end(), which);
      *count += static_cast<std::uint64_t>(list.end() - end);
      list.erase(end, list.end());
    };
    for (int step = 0; step < 2000; ++step) {
      const unsigned kind = below(10);
      if (kind < 7) {
        Entry entry{std::to_string(++last) + std::string(below(60), '.'), {}};
        if (kind == 6) entry.payload.resize(600, '.');
        if (kind > 1) {
          if (below(2) == 0) entry.options.replaces = 1 + below(4);
          if (below(2) == 0)
            entry.options.expires_at = now + absl::Milliseconds(1 + below(400));
          drop(&superseded, [&](const Entry& other) {
            return entry.options.replaces != 0 &&
                   other.options.replaces == entry.options.replaces;
          });
          ASSERT_EQ(queue.AppendWith(Text(entry.payload), entry.options),
                    SendOutcome::kAccepted);
        } else {
          ASSERT_EQ(queue.Append(Text(entry.payload)), SendOutcome::kAccepted);
        }
        list.push_back(std::move(entry));
      } else if (kind < 9) {
        now += absl::Milliseconds(below(40));
        queue->SetTransmitted(0);
        drop(&expired, [&](const Entry& entry) {
          return entry.options.expires_at <= now;
        });
      } else {
        std::vector<Batch> batches;
        std::size_t records = 0;
        for (unsigned frames = 1 + below(3); frames > 0 && !queue->Empty();
             --frames) {
          batches.push_back(queue.Take(Lane::kNormal));
          for (const std::string& payload : PayloadsOf(config, batches.back()))
            ASSERT_EQ(payload, list[records++].payload);
        }
        if (below(2) == 0) {
          list.erase(list.begin(), list.begin() + static_cast<long>(records));
        } else {
          for (auto batch = batches.rbegin(); batch != batches.rend(); ++batch)
            queue->PutBack(std::move(*batch), true);
          EXPECT_EQ(queue->Resume(), 0u);  // no newer one has come meanwhile
        }
      }
      ASSERT_EQ(queue.envelopes(), list.size()) << "seed " << seed;
      ASSERT_EQ(queue.Dropped(DropReason::kSuperseded), superseded);
      ASSERT_EQ(queue.Dropped(DropReason::kExpired), expired);
      ASSERT_EQ(queue->Passed(queue->Mark()), list.empty());
    }
  }
}

}  // namespace
}  // namespace cluster::internal
