// No envelope is dropped without being counted. For each way to lose an
// accepted envelope, the figures add up at any moment, and events report what
// the counters say.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cluster/base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/flood.h"
#include "tests/harness/seed.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr int kRounds = 3;

// Events of server 1 about server 2, and arrivals at server 2.
class Witness {
 public:
  void OnEvent(const PeerEvent& event) {
    MutexLock lock(&mutex_);
    if (event.type == PeerEvent::kRestarted) {
      ++restarts_;
      unknown_fate_ += event.unknown_fate;
      resent_ += event.resent;
    }
    changed_.NotifyAll();
  }
  void OnArrival() {
    MutexLock lock(&mutex_);
    ++arrivals_;
    changed_.NotifyAll();
  }
  bool WaitForMoreArrivals(std::uint64_t count) {
    MutexLock lock(&mutex_);
    const std::uint64_t goal = arrivals_ + count;
    return changed_.WaitFor(&mutex_, std::chrono::seconds(60),
                            [&] { return arrivals_ >= goal; });
  }
  bool WaitForRestarts(int count) {
    MutexLock lock(&mutex_);
    return changed_.WaitFor(&mutex_, std::chrono::seconds(60),
                            [&] { return restarts_ >= count; });
  }
  std::uint64_t unknown_fate() {
    MutexLock lock(&mutex_);
    return unknown_fate_;
  }
  std::uint64_t resent() {
    MutexLock lock(&mutex_);
    return resent_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int restarts_ = 0;
  std::uint64_t unknown_fate_ = 0;
  std::uint64_t resent_ = 0;
  std::uint64_t arrivals_ = 0;
};

class AccountingTest : public testing::TestWithParam<const char*> {
 protected:
  // Starts two servers, and a flood from 1 to 2.
  void Start(const std::function<void(Config*)>& change) {
    std::cout << "CLUSTER_TEST_SEED=" << TestSeed() << "\n";
    ClusterSpec spec;
    spec.config.transport = GetParam();
    spec.config.linger = absl::ZeroDuration();
    change(&spec.config);
    spec.ids = {1, 2};
    spec.on_envelope = [this](int receiver, const EnvelopeView&) {
      if (receiver == 2) witness_.OnArrival();
    };
    spec.on_event = [this](int observer, const PeerEvent& event) {
      if (observer == 1) witness_.OnEvent(event);
    };
    cluster_ = std::make_unique<TestCluster>(std::move(spec));
    ASSERT_TRUE(cluster_->Start());
    flood_ =
        std::make_unique<Flood>(&cluster_->server(1), std::vector<int>{2},
                                TestSeed(), [this](int, const EnvelopeView&) {
                                  ++accepted_;
                                  if (accepted_ % 50 == 0) ExpectBalance();
                                });
  }

  // Runs on the flood's thread too.
  void ExpectBalance() {
    EXPECT_THAT(BalanceProblems(1, cluster_->Stats(1)), IsEmpty());
  }
  PeerStats Seen() { return *cluster_->Stats(1).Peer(2); }

  // Checks the figures after the flood: they account for all that it sent, and
  // envelopes were dropped for these reasons only.
  void ExpectTotals(const std::vector<DropReason>& reasons) {
    flood_->Stop();
    ExpectBalance();
    const PeerStats seen = Seen();
    EXPECT_EQ(seen.accepted, accepted_);
    for (int i = 0; i < kDropReasons; ++i) {
      const auto reason = static_cast<DropReason>(i);
      const bool may_be =
          std::find(reasons.begin(), reasons.end(), reason) != reasons.end();
      if (!may_be) {
        EXPECT_EQ(seen.Dropped(reason), 0u) << DropReasonName(reason);
      }
    }
  }

  Witness witness_;
  std::uint64_t accepted_ = 0;  // the flood's
  std::unique_ptr<TestCluster> cluster_;
  std::unique_ptr<Flood> flood_;
};

TEST_P(AccountingTest, WhatARestartDropsIsWhatItsEventsSay) {
  Start([](Config* config) { config->on_peer_restart = OnPeerRestart::kDrop; });
  for (int round = 1; round <= kRounds; ++round) {
    ASSERT_TRUE(witness_.WaitForMoreArrivals(500));
    ASSERT_TRUE(cluster_->Restart(2));
    ASSERT_TRUE(witness_.WaitForRestarts(round));
    ExpectBalance();
  }
  ExpectTotals({DropReason::kPeerRestart});
  ASSERT_TRUE(cluster_->FlushAll());
  EXPECT_EQ(Seen().Dropped(DropReason::kPeerRestart), witness_.unknown_fate());
  EXPECT_EQ(Seen().acknowledged + witness_.unknown_fate(), accepted_);
  EXPECT_EQ(witness_.resent(), 0u);
}

TEST_P(AccountingTest, ARestartThatResendsDropsNothing) {
  Start([](Config*) {});
  for (int round = 1; round <= kRounds; ++round) {
    ASSERT_TRUE(witness_.WaitForMoreArrivals(500));
    ASSERT_TRUE(cluster_->Restart(2));
    ASSERT_TRUE(witness_.WaitForRestarts(round));
    ExpectBalance();
  }
  ExpectTotals({});
  ASSERT_TRUE(cluster_->FlushAll());
  EXPECT_EQ(Seen().acknowledged, accepted_);
  EXPECT_EQ(witness_.resent(), witness_.unknown_fate());
}

TEST_P(AccountingTest, WhatARemovalDropsIsCounted) {
  Start([](Config*) {});
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_TRUE(witness_.WaitForMoreArrivals(500));
    ASSERT_TRUE(cluster_->server(1).RemovePeer(2).ok());
    ExpectBalance();
    EXPECT_EQ(Seen().queued + Seen().in_flight, 0u);
    ASSERT_TRUE(cluster_->server(1).AddPeer(2, cluster_->address(2)).ok());
  }
  ASSERT_TRUE(witness_.WaitForMoreArrivals(500));
  ExpectTotals({DropReason::kRemoved});
  ASSERT_TRUE(cluster_->FlushAll());
  EXPECT_EQ(Seen().acknowledged + Seen().Dropped(DropReason::kRemoved),
            accepted_);
}

TEST_P(AccountingTest, WhatStopDropsIsCounted) {
  Start([](Config*) {});
  ASSERT_TRUE(witness_.WaitForMoreArrivals(500));
  cluster_->Stop(1);
  EXPECT_EQ(Seen().queued + Seen().in_flight, 0u);
  ExpectTotals({DropReason::kStopped});
  EXPECT_EQ(Seen().acknowledged + Seen().Dropped(DropReason::kStopped),
            accepted_);
}

TEST_P(AccountingTest, WhatOverflowsIsCounted) {
  Start([](Config* config) {
    config->overflow = Overflow::kDropOldest;
    config->frame_bytes = 1024;
    config->inflight_bytes = 4096;
    config->window_bytes = 16u << 10;
    config->queue_bytes_max = 16u << 10;
  });
  ASSERT_TRUE(witness_.WaitForMoreArrivals(5000));
  ExpectTotals({DropReason::kOverflow});
  ASSERT_TRUE(cluster_->FlushAll());
  EXPECT_EQ(Seen().acknowledged + Seen().Dropped(DropReason::kOverflow),
            accepted_);
  EXPECT_EQ(cluster_->Stats(2).Peer(1)->received, Seen().acknowledged);
}

INSTANTIATE_TEST_SUITE_P(Backends, AccountingTest,
                         testing::ValuesIn(AllTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
