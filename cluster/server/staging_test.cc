#include "cluster/server/staging.h"

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/session/testing/link_pair.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

using Result = Staging::Result;

class StagingTest : public testing::Test {
 protected:
  Envelope Make(const std::string& payload) {
    Envelope envelope;
    envelope.message_id = {1001, ++sequence_};
    envelope.pid = 2;
    envelope.sender_id = 1;
    envelope.payload = payload;
    return envelope;
  }
  Result Append(const std::string& payload) {
    return staging_.Append(2, EnvelopeView(Make(payload)));
  }

  const LinkConfig config_ = TestLinkConfig(1, 2);
  Staging staging_{config_};
  OpenBatch staged_{config_, kGatheringLane};
  std::uint64_t sequence_ = 0;
};

TEST_F(StagingTest, RefusesUntilItIsOpen) {
  EXPECT_EQ(Append("a"), Result::kRefused);
  EXPECT_FALSE(staging_.waiting());
  staging_.Open();
  EXPECT_EQ(Append("b"), Result::kTaken);
  EXPECT_TRUE(staging_.waiting());
  EXPECT_TRUE(staging_.Close(&staged_));
  EXPECT_FALSE(staging_.waiting());
  EXPECT_EQ(Append("c"), Result::kRefused);
  EXPECT_FALSE(staging_.Close(&staged_));
  EXPECT_EQ(PayloadsOf(config_, staged_.Close()),
            (std::vector<std::string>{"b"}));
}

TEST_F(StagingTest, GivesWhatItTookInOrderAndGoesOn) {
  staging_.Open();
  EXPECT_FALSE(staging_.Take(&staged_));
  EXPECT_EQ(Append("a"), Result::kTaken);
  EXPECT_EQ(Append("b"), Result::kTaken);
  EXPECT_TRUE(staging_.Take(&staged_));
  EXPECT_FALSE(staging_.waiting());
  EXPECT_EQ(Append("c"), Result::kTaken);
  EXPECT_EQ(PayloadsOf(config_, staged_.Close()),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(staging_.Take(&staged_));
  EXPECT_EQ(PayloadsOf(config_, staged_.Close()),
            (std::vector<std::string>{"c"}));
}

TEST_F(StagingTest, LeavesOtherLanesAndLargePayloadsAlone) {
  staging_.Open();
  Envelope urgent = Make("urgent");
  urgent.lane = Lane::kUrgent;
  EXPECT_EQ(staging_.Append(2, EnvelopeView(urgent)), Result::kRefused);
  Envelope bulk = Make("bulk");
  bulk.lane = Lane::kBulk;
  EXPECT_EQ(staging_.Append(2, EnvelopeView(bulk)), Result::kRefused);
  const std::size_t lone = LoneBytes(config_.frame_bytes);
  EXPECT_EQ(Append(std::string(lone + 1, 'x')), Result::kRefused);
  EXPECT_NE(Append(std::string(lone, 'x')), Result::kRefused);
}

TEST_F(StagingTest, HoldsNoMoreThanAFrame) {
  staging_.Open();
  const std::string payload(config_.frame_bytes / 8, 'x');
  Result result = Result::kTaken;
  while (result == Result::kTaken) result = Append(payload);
  EXPECT_EQ(result, Result::kFilled);
  EXPECT_EQ(Append(payload), Result::kNoRoom);
  PeerStats stats;
  staging_.AddTo(&stats);
  EXPECT_EQ(stats.accepted, stats.queued);
  EXPECT_GE(stats.queued, 7u);
  EXPECT_LE(stats.queued_bytes, config_.frame_bytes);
  ASSERT_TRUE(staging_.Take(&staged_));
  EXPECT_TRUE(staged_.full());
  EXPECT_EQ(staged_.batch().records, stats.queued);
  staged_.Clear();
  EXPECT_EQ(Append(payload), Result::kTaken);
}

TEST_F(StagingTest, TakesNothingOnceItIsClosed) {
  std::atomic<bool> stop{false};
  std::uint64_t taken = 0;
  std::thread sender([&] {
    while (!stop) {
      const Result result = Append("x");
      if (result == Result::kTaken || result == Result::kFilled) ++taken;
    }
  });
  std::uint64_t closed = 0;
  for (int i = 0; i < 20000; ++i) {
    staging_.Open();
    if (staging_.Close(&staged_)) closed += staged_.Close().records;
    ASSERT_FALSE(staging_.waiting());
  }
  stop = true;
  sender.join();
  EXPECT_FALSE(staging_.waiting());
  EXPECT_EQ(closed, taken);
}

TEST_F(StagingTest, LosesNothingAmongThreads) {
  constexpr int kThreads = 3;
  constexpr int kEach = 2000;
  staging_.Open();
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Envelope envelope;
      envelope.pid = 2;
      envelope.sender_id = 1;
      for (int i = 0; i < kEach; ++i) {
        envelope.payload = absl::StrCat(t, ":", i);
        Result result = Result::kNoRoom;
        while (result == Result::kNoRoom) {
          result = staging_.Append(2, EnvelopeView(envelope));
          if (result == Result::kNoRoom) std::this_thread::yield();
        }
        ASSERT_NE(result, Result::kRefused);
      }
    });
  }
  std::map<std::string, int> next;  // of each thread
  for (int taken = 0; taken < kThreads * kEach;) {
    if (!staging_.Take(&staged_)) {
      std::this_thread::yield();
      continue;
    }
    for (const std::string& payload : PayloadsOf(config_, staged_.Close())) {
      const std::string thread = payload.substr(0, 1);
      ASSERT_EQ(payload, absl::StrCat(thread, ":", next[thread]++));
      ++taken;
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(staging_.waiting());
}

}  // namespace
}  // namespace cluster
