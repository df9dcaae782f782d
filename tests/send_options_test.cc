// SendOptions over each backend: a peer that is down, and comes back.

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cluster/base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/event_log.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::Duration kPatience = absl::Seconds(60);

Envelope To(int pid, const std::string& payload = "x") {
  Envelope envelope;
  envelope.pid = pid;
  envelope.payload = payload;
  return envelope;
}

class SendOptionsTest : public testing::TestWithParam<const char*> {
 protected:
  SendOptionsTest() : cluster_(Spec()) {}

  void SetUp() override {
    ASSERT_TRUE(cluster_.Start());
    ASSERT_TRUE(log_.WaitUntilAllUp({1, 2, 3}));
  }

  ClusterSpec Spec() {
    ClusterSpec spec;
    spec.config.transport = GetParam();
    spec.config.queue_bytes_max = 512u << 10;
    spec.ids = FirstIds(3);
    spec.on_envelope = [this](int receiver, const EnvelopeView& envelope) {
      MutexLock lock(&mutex_);
      if (receiver != 3) return;
      payloads_.emplace_back(envelope.payload);
      changed_.Wait(&mutex_, [this] {
        mutex_.AssertHeld();
        return !held_;
      });
    };
    spec.on_event = log_.Sink();
    return spec;
  }

  // Server 1 knows that server 3 is gone.
  void EndThree() {
    cluster_.Destroy(3);
    ASSERT_TRUE(log_.WaitForPeer(1, 3, PeerEvent::kDown));
    ASSERT_FALSE(server().Stats().Peer(3)->up);
  }
  // Server 3 has all that server 1 has for it.
  void BringThreeBack() {
    ASSERT_TRUE(cluster_.Restart(3));
    ASSERT_TRUE(server().Send(To(3, "last")).ok());
    const absl::Status flushed = server().Flush(3, kPatience);
    ASSERT_TRUE(flushed.ok()) << flushed;
  }

  // Until LetThreeGo, the handler of server 3 does not return.
  void HoldThree() {
    MutexLock lock(&mutex_);
    held_ = true;
  }
  void LetThreeGo() {
    MutexLock lock(&mutex_);
    held_ = false;
    changed_.NotifyAll();
  }

  // The bytes that an envelope with these options takes of the queue. Tries again if
  // a frame left meanwhile.
  std::size_t CostWith(const SendOptions& options) {
    while (true) {
      const PeerStats before = Three();
      EXPECT_TRUE(server().Send(To(3), options).ok());
      const PeerStats after = Three();
      if (after.frames_sent == before.frames_sent)
        return after.queued_bytes - before.queued_bytes;
    }
  }

  Server& server() { return cluster_.server(1); }
  PeerStats Three() { return *server().Stats().Peer(3); }
  // Of server 3, in all its lives.
  std::vector<std::string> Payloads() {
    MutexLock lock(&mutex_);
    return payloads_;
  }

 private:
  EventLog log_;
  Mutex mutex_;
  CondVar changed_;
  bool held_ CLUSTER_GUARDED_BY(mutex_) = false;
  std::vector<std::string> payloads_ CLUSTER_GUARDED_BY(mutex_);

 protected:
  TestCluster cluster_;
};

TEST_P(SendOptionsTest, OnlyIfUpAloneCostsNoPlaceOfItsOwn) {
  HoldThree();
  while (Three().queued_bytes == 0 &&
         server().Send(To(3, std::string(64u << 10, 'x'))).ok()) {
  }
  SendOptions up;
  up.only_if_up = true;
  SendOptions both = up;
  both.expires_after = kPatience;
  // Ids have a byte or two each.
  EXPECT_LE(CostWith(up), CostWith(SendOptions()) + 8);
  EXPECT_GE(CostWith(both), CostWith(up) + 100);
  LetThreeGo();
}

TEST_P(SendOptionsTest, OnlyIfUpIsDecidedForEachRecipient) {
  SendOptions options;
  options.only_if_up = true;
  options.timeout = kPatience;  // it is not waited for
  ASSERT_TRUE(server().Send(To(3, "up"), options).ok());
  ASSERT_TRUE(server().Send(To(1), options).ok());
  ASSERT_TRUE(server().Send(To(kBroadcast, "all"), options).ok());
  ASSERT_TRUE(server().Flush(3, kPatience).ok());
  EndThree();
  const std::uint64_t accepted = Three().accepted;

  const absl::Status down = server().Send(To(3), options);
  EXPECT_EQ(down.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(down.message()), HasSubstr("server 3 is not up"));
  EXPECT_EQ(server().Send(To(kBroadcast), options).code(),
            absl::StatusCode::kUnavailable);
  const MulticastResult some = server().Multicast({1, 2, 3}, To(0), options);
  EXPECT_EQ(some.status.code(), absl::StatusCode::kUnavailable);
  ASSERT_EQ(some.peers.size(), 3u);
  EXPECT_TRUE(some.peers[0].second.ok());
  EXPECT_TRUE(some.peers[1].second.ok());
  EXPECT_EQ(some.peers[2].second.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server().Send(To(9), options).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Three().accepted, accepted);
  EXPECT_TRUE(server().Flush(2, kPatience).ok());

  BringThreeBack();
  EXPECT_TRUE(server().Send(To(3), options).ok());
  ASSERT_TRUE(server().Flush(kPatience).ok());
  EXPECT_THAT(Payloads(), ElementsAre("up", "all", "last", "x"));
  EXPECT_THAT(BalanceProblems(1, server().Stats()), IsEmpty());
}

TEST_P(SendOptionsTest, AThousandHeartbeatsForAPeerThatIsDownAreOne) {
  EndThree();
  SendOptions options;
  options.replaces = 1;
  for (int i = 0; i < 1000; ++i)
    ASSERT_TRUE(
        server().Send(To(3, "beat " + std::to_string(i)), options).ok());
  options.replaces = 2;
  const absl::StatusOr<MessageId> other =
      server().SendWithId(To(3, "other"), options);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_NE(*other, MessageId());
  EXPECT_EQ(Three().queued, 2u);
  EXPECT_EQ(Three().Dropped(DropReason::kSuperseded), 999u);
  EXPECT_THAT(BalanceProblems(1, server().Stats()), IsEmpty());

  BringThreeBack();
  EXPECT_THAT(Payloads(), ElementsAre("beat 999", "other", "last"));
  EXPECT_THAT(BalanceProblems(1, server().Stats()), IsEmpty());
}

TEST_P(SendOptionsTest, WhatExpiresIsDroppedThoughNothingElseHappens) {
  EndThree();
  SendOptions options;
  options.expires_after = absl::Milliseconds(50);
  ASSERT_TRUE(server().Send(To(3, "brief"), options).ok());
  ASSERT_TRUE(server().Send(To(3, std::string(100000, 'l')), options).ok());
  // It waits for that.
  const absl::Status flushed = server().Flush(3, kPatience);
  ASSERT_TRUE(flushed.ok()) << flushed;
  EXPECT_EQ(Three().Dropped(DropReason::kExpired), 2u);
  EXPECT_EQ(Three().queued, 0u);

  options.expires_after = kPatience;
  ASSERT_TRUE(server().Send(To(3, "long"), options).ok());
  BringThreeBack();
  EXPECT_THAT(Payloads(), ElementsAre("long", "last"));
  EXPECT_THAT(BalanceProblems(1, server().Stats()), IsEmpty());
}

TEST_P(SendOptionsTest, NoOneWaitsForRoomLongerThanItsEnvelopeLives) {
  EndThree();
  const std::string large(100000, 'l');
  SendOptions options;
  options.expires_after = absl::ZeroDuration();
  EXPECT_EQ(server().Send(To(3), options).code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(server().Multicast({3}, To(0), options).status.code(),
            absl::StatusCode::kDeadlineExceeded);
  options = SendOptions();
  while (server().Send(To(3, large), options).ok()) {
  }
  EXPECT_EQ(server().Send(To(3, large), options).code(),
            absl::StatusCode::kResourceExhausted);
  options.timeout = kPatience;
  options.expires_after = absl::Milliseconds(1);
  EXPECT_EQ(server().Send(To(3, large), options).code(),
            absl::StatusCode::kDeadlineExceeded);
  options = SendOptions();
  options.timeout = absl::Milliseconds(1);
  EXPECT_EQ(server().Send(To(3, large), options).code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(BalanceProblems(1, server().Stats()), IsEmpty());
}

// The room of what expires goes to those that wait for it.
TEST_P(SendOptionsTest, ASenderThatWaitsGetsTheRoomOfWhatExpires) {
  EndThree();
  const std::string large(100000, 'l');
  SendOptions brief;
  brief.expires_after = absl::Milliseconds(300);
  std::uint64_t sent = 0;
  while (server().Send(To(3, large), brief).ok()) ++sent;
  EXPECT_GT(sent, 1u);
  EXPECT_TRUE(server().Send(To(3, large), kPatience).ok());
  EXPECT_TRUE(server().Flush(2, kPatience).ok());
  EXPECT_GE(Three().Dropped(DropReason::kExpired), 1u);
  EXPECT_THAT(BalanceProblems(1, server().Stats()), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Backends, SendOptionsTest,
                         testing::ValuesIn(AllTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
