// Several sessions send the same bytes.

#include <string>
#include <vector>

#include "cluster/session/batch.h"
#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using Strings = std::vector<std::string>;

Envelope ForAll(const std::string& payload) {
  Envelope envelope;
  envelope.message_id = {1001, 1};
  envelope.pid = kBroadcast;
  envelope.sender_id = 1;
  envelope.payload = payload;
  return envelope;
}

// A small batch of these payloads, and the state after it.
struct Shared {
  Batch batch;
  EncodeState encode;

  Shared(const SessionConfig& config, const Strings& payloads) {
    batch = NewBatch(config.buffers.get(), Lane::kNormal, config.frame_bytes);
    batch.shared = true;
    for (const std::string& payload : payloads) {
      char* const end = config.codec->AppendRecord(ForAll(payload), &encode,
                                                   batch.body_end());
      batch.body_bytes = static_cast<std::size_t>(end - batch.body_begin());
      ++batch.records;
    }
    Sum(&batch);
  }
};

// Both ends one have the same id, as two peers of one server do.
class SessionShared : public testing::Test {
 protected:
  void SetUp() override {
    left_.Connect();
    right_.Connect();
  }

  void AppendToBoth(const Shared& shared) {
    for (SessionPair* pair : {&left_, &right_})
      pair->one.queue->AppendShared(shared.batch, shared.encode);
  }
  // The frames of both leave before any arrives.
  void ExchangeBoth() {
    const Strings left = left_.one.Speak();
    const Strings right = right_.one.Speak();
    for (const std::string& frame : left) left_.two.Hear(frame);
    for (const std::string& frame : right) right_.two.Hear(frame);
    left_.Exchange();
    right_.Exchange();
  }
  void ExpectBothHave(const Strings& payloads) {
    EXPECT_EQ(left_.two.Payloads(), payloads);
    EXPECT_EQ(right_.two.Payloads(), payloads);
    EXPECT_TRUE(left_.one.session->Drained());
    EXPECT_TRUE(right_.one.session->Drained());
    EXPECT_TRUE(AddsUp(left_.one.Stats()));
  }

  SessionPair left_;
  SessionPair right_;
};

TEST_F(SessionShared, ABatchArrivesOnEach) {
  const std::string long_text(600, 'x');
  // So that sequence numbers and sessions are not the same in both.
  ASSERT_EQ(left_.one.Append("before"), SendOutcome::kAccepted);
  left_.Advance(absl::Seconds(1));
  left_.two.taken.clear();
  AppendToBoth(Shared(left_.one.config, {"a", long_text}));
  ExchangeBoth();
  left_.Advance(absl::Seconds(1));
  right_.Advance(absl::Seconds(1));
  ExpectBothHave({"a", long_text});
}

TEST_F(SessionShared, AFewRecordsJoinWhatWaitsAlready) {
  for (SessionPair* pair : {&left_, &right_}) {
    for (const char* text : {"1", "2", "3"})
      ASSERT_EQ(pair->one.Append(text), SendOutcome::kAccepted);
  }
  AppendToBoth(Shared(left_.one.config, {"a", "b"}));
  for (SessionPair* pair : {&left_, &right_})
    ASSERT_EQ(pair->one.Append("4"), SendOutcome::kAccepted);
  EXPECT_EQ(left_.one.Speak(1).size(), 1u);  // and is lost
  ExchangeBoth();
  left_.Advance(absl::Seconds(2));
  right_.Advance(absl::Seconds(1));
  ExpectBothHave({"1", "2", "3", "a", "b", "4"});
  // A record leans on the one before it.
  EXPECT_EQ(right_.two.taken.back().message_id.sequence, 4u);
}

TEST_F(SessionShared, WhatIsLostIsSentAgain) {
  const std::string long_text(600, 'x');
  AppendToBoth(Shared(left_.one.config, {"a", long_text}));
  EXPECT_FALSE(left_.one.Speak().empty());  // lost, on one of them
  ExchangeBoth();
  left_.Advance(absl::Seconds(2));
  right_.Advance(absl::Seconds(1));
  ExpectBothHave({"a", long_text});
  EXPECT_GE(left_.one.Stats().frames_retransmitted, 1u);
}

TEST_F(SessionShared, APeerThatRestartsGetsItAnew) {
  const std::string long_text(600, 'x');
  left_.two.consumes = right_.two.consumes = false;
  AppendToBoth(Shared(left_.one.config, {"a", long_text}));
  ExchangeBoth();
  left_.two.Restart(7777);
  left_.two.consumes = true;
  left_.two.session->OnConnected(left_.now);
  right_.two.consumes = true;
  right_.two.Consume();
  left_.Advance(absl::Seconds(5));
  right_.Advance(absl::Seconds(5));
  ExpectBothHave({"a", long_text});
}

// Its chunks have room for a header each, and no session may use it.
TEST_F(SessionShared, ALargeRecordArrivesOnEach) {
  std::string large(100 << 10, '\0');
  for (std::size_t i = 0; i < large.size(); ++i)
    large[i] = static_cast<char>(i * 7 + i / 256);
  ASSERT_EQ(left_.one.Append("before"), SendOutcome::kAccepted);
  left_.Advance(absl::Seconds(1));
  left_.two.taken.clear();
  absl::optional<Batch> batch;
  for (SessionPair* pair : {&left_, &right_}) {
    ASSERT_EQ(pair->one.queue->AppendLarge(2, ForAll(large), &batch).outcome,
              SendOutcome::kAccepted);
  }
  ASSERT_TRUE(batch->large && batch->shared);
  ExchangeBoth();
  left_.Advance(absl::Seconds(5));
  right_.Advance(absl::Seconds(5));
  ExpectBothHave({large});
}

TEST_F(SessionShared, GathersWhileItWouldOnlyWait) {
  const SessionConfig& config = left_.one.config;
  SendQueue* const queue = left_.one.queue.get();
  EXPECT_FALSE(queue->Gathers(1));  // it would leave
  for (const char* text : {"1", "2", "3", "4"})
    ASSERT_EQ(left_.one.Append(text), SendOutcome::kAccepted);
  const Strings frames = left_.one.Speak();
  ASSERT_EQ(left_.one.Append("5"), SendOutcome::kAccepted);
  EXPECT_TRUE(queue->Gathers(config.frame_bytes));
  EXPECT_FALSE(queue->Gathers(config.queue_bytes_max));
  for (const std::string& frame : frames) left_.two.Hear(frame);
  left_.Exchange();
  EXPECT_FALSE(queue->Gathers(config.frame_bytes));
}

TEST(SessionSharedWithout, AnyGatherForWhoTakesOnlySmallPayloads) {
  SessionPair pair;
  SessionConfig modest = pair.two.config;
  modest.payload_bytes_max = 100;
  pair.two.config = modest;
  pair.two.Restart(7777);
  pair.Connect();
  for (const char* text : {"1", "2", "3", "4"})
    ASSERT_EQ(pair.one.Append(text), SendOutcome::kAccepted);
  pair.one.Speak();
  ASSERT_EQ(pair.one.Append("5"), SendOutcome::kAccepted);
  EXPECT_FALSE(pair.one.queue->Gathers(1));
}

}  // namespace
}  // namespace cluster::internal
