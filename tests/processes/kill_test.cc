// Servers that are killed with -9 under load: the events of their peers, and
// the envelopes that the next life gets.

#include <algorithm>
#include <csignal>
#include <iostream>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/seed.h"
#include "tests/harness/transports.h"
#include "tests/processes/process_cluster.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr int kKills = PROCESS_KILLS;
constexpr int kMortal = 2;

class KillTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::uint64_t seed = TestSeed();
    std::cout << "CLUSTER_TEST_SEED=" << seed << "\n";
    random_.seed(seed);
  }

  ProcessSpec Spec(std::vector<int> ids) {
    ProcessSpec spec;
    spec.transport = GetParam();
    spec.ids = std::move(ids);
    return spec;
  }
  std::uint64_t Between(std::uint64_t least, std::uint64_t most) {
    return least + random_() % (most - least + 1);
  }

  // Kills the receiver `kMortal` again and again while 1 and 3 flood it and
  // each other. Returns kRestarted as the sender saw it, by sender and death.
  std::map<int, std::vector<PeerEvent>> KillReceiver(ProcessCluster* cluster) {
    std::map<int, std::vector<PeerEvent>> restarts;
    ProcessCluster& server = *cluster;
    server[1].Say("flood 100 2 3");
    server[3].Say("flood 100 2 1");
    for (int kill = 0; kill < kKills; ++kill) {
      server[kMortal].AwaitArrivals(Between(1, 20000));
      server[kMortal].Kill();
      if (!server.StartNextLife(kMortal)) return restarts;
      for (int sender : {1, 3}) {
        restarts[sender].push_back(
            server[sender].AwaitEvent(PeerEvent::kRestarted, kMortal));
      }
    }
    server[kMortal].AwaitArrivals(1000);
    server.HaltAndFlush({1, 3});
    return restarts;
  }

  std::mt19937_64 random_;
};

// One stream as the lives of its receiver took it, to compare with the sender's
// counters.
struct Passage {
  std::uint64_t gaps = 0;      // numbers that no life took
  std::uint64_t overlaps = 0;  // numbers that an earlier life had taken too
  std::uint64_t last = 0;      // number
};

// Each life took successive numbers, or the journal counts `disorder`.
void Follow(const TakenStream& taken, Passage* passage) {
  if (taken.count == 0) return;
  const std::uint64_t next = passage->last + 1;
  if (taken.first > next) passage->gaps += taken.first - next;
  if (taken.first < next)
    passage->overlaps +=
        std::min<std::uint64_t>(next, taken.last + 1) - taken.first;
  passage->last = std::max<std::uint64_t>(passage->last, taken.last);
}

// `per_life[life]` is the sum over the lanes by the end of that life.
std::vector<Passage> FollowAll(const ProcessCluster& cluster, int sender) {
  std::vector<Passage> per_life;
  std::array<Passage, kLanes> lanes;
  for (const auto& life : cluster.Lives(kMortal)) {
    JournalPage& journal = life->journal();
    EXPECT_EQ(journal.disorder, 0u) << "life " << life->life();
    EXPECT_EQ(journal.strange, 0u) << "life " << life->life();
    Passage sum;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      Follow(journal.taken[static_cast<std::size_t>(sender)][0][0][lane],
             &lanes[lane]);
      sum.gaps += lanes[lane].gaps;
      sum.overlaps += lanes[lane].overlaps;
      sum.last += lanes[lane].last;
    }
    per_life.push_back(sum);
  }
  return per_life;
}

// All envelopes from `sender` to the mortal server.
std::uint64_t Accepted(ProcessCluster* cluster, int sender) {
  std::uint64_t accepted = 0;
  for (const SentStream& stream : (*cluster)[sender].journal().sent[kMortal])
    accepted += stream.accepted;
  return accepted;
}

std::uint64_t Taken(const ProcessCluster& cluster, int sender) {
  std::uint64_t taken = 0;
  for (const auto& life : cluster.Lives(kMortal)) {
    for (const TakenStream& stream :
         life->journal().taken[static_cast<std::size_t>(sender)][0][0])
      taken += stream.count;
  }
  return taken;
}

void ExpectOthersLostNothing(ProcessCluster* cluster) {
  EXPECT_THAT(cluster->DeliveryProblems(1, 3), IsEmpty());
  EXPECT_THAT(cluster->DeliveryProblems(3, 1), IsEmpty());
  EXPECT_EQ((*cluster)[1].journal().peers[3].sessions, 1u);
  EXPECT_EQ((*cluster)[3].journal().peers[1].sessions, 1u);
}

TEST_P(KillTest, AReceiversNextLifeGetsWhatTheLastDidNotAcknowledge) {
  ProcessCluster cluster(Spec({1, kMortal, 3}));
  ASSERT_TRUE(cluster.Start());
  const auto restarts = KillReceiver(&cluster);
  ASSERT_FALSE(HasFailure());
  for (int sender : {1, 3}) {
    const std::vector<Passage> passages = FollowAll(cluster, sender);
    std::uint64_t resent = 0;  // until this death
    for (std::size_t death = 0; death < kKills; ++death) {
      const PeerEvent& event = restarts.at(sender)[death];
      EXPECT_EQ(event.resent, event.unknown_fate);
      resent += event.resent;
      // kRestarted reported every envelope that came twice.
      EXPECT_LE(passages[death + 1].overlaps, resent)
          << "sender " << sender << ", death " << death;
    }
    EXPECT_GT(resent, 0u) << "sender " << sender;
    EXPECT_EQ(passages.back().gaps, 0u) << "sender " << sender;
    EXPECT_EQ(passages.back().last, Accepted(&cluster, sender));
    const PeerFigures& figures = cluster[sender].journal().peers[kMortal];
    EXPECT_EQ(figures.accepted, Accepted(&cluster, sender));
    EXPECT_EQ(figures.acknowledged, figures.accepted);
    EXPECT_EQ(figures.dropped, 0u);
    EXPECT_EQ(figures.sessions, 1u + kKills);
  }
  ExpectOthersLostNothing(&cluster);
}

TEST_P(KillTest, WhatIsDroppedAtARestartIsReported) {
  ProcessSpec spec = Spec({1, kMortal, 3});
  spec.options = "\"on_peer_restart\": \"drop\"";
  ProcessCluster cluster(std::move(spec));
  ASSERT_TRUE(cluster.Start());
  const auto restarts = KillReceiver(&cluster);
  ASSERT_FALSE(HasFailure());
  std::uint64_t dropped = 0;
  for (int sender : {1, 3}) {
    const Passage passage = FollowAll(cluster, sender).back();
    std::uint64_t unknown_fate = 0;
    for (const PeerEvent& event : restarts.at(sender)) {
      EXPECT_EQ(event.resent, 0u);
      unknown_fate += event.unknown_fate;
    }
    const PeerFigures& figures = cluster[sender].journal().peers[kMortal];
    EXPECT_EQ(figures.dropped_by_restart, unknown_fate);
    EXPECT_EQ(figures.dropped, unknown_fate);
    EXPECT_EQ(figures.acknowledged + figures.dropped, figures.accepted);
    // Lost envelopes are counted as dropped, acknowledged ones were taken, and
    // none comes twice.
    EXPECT_LE(passage.gaps, unknown_fate) << "sender " << sender;
    EXPECT_LE(figures.acknowledged, Taken(cluster, sender));
    EXPECT_EQ(passage.overlaps, 0u) << "sender " << sender;
    EXPECT_EQ(passage.last, Accepted(&cluster, sender));
    dropped += unknown_fate;
  }
  EXPECT_GT(dropped, 0u);
  ExpectOthersLostNothing(&cluster);
}

TEST_P(KillTest, ASenderLeavesAPrefixOfItsBroadcasts) {
  const std::vector<int> receivers = {1, 3, 4};
  ProcessCluster cluster(Spec({1, kMortal, 3, 4}));
  ASSERT_TRUE(cluster.Start());
  for (int life = 0; life <= kKills; ++life) {
    // The next life's first envelope follows its own greeting.
    if (life > 0) {
      for (int id : receivers)
        cluster[id].AwaitEvent(PeerEvent::kRestarted, kMortal);
    }
    if (life == kKills) break;
    const auto watched = receivers[Between(0, receivers.size() - 1)];
    cluster[watched].MarkArrivals(Between(1, 20000));
    cluster[kMortal].Say("flood 100 all");
    cluster[watched].Await("mark");
    cluster[kMortal].Kill();
    ASSERT_TRUE(cluster.StartNextLife(kMortal));
  }
  cluster[kMortal].Ask("send 1000 100 all", "sent");
  cluster.HaltAndFlush({kMortal});
  ASSERT_FALSE(HasFailure());
  std::uint64_t taken_of_dead = 0;
  for (int id : receivers) {
    JournalPage& journal = cluster[id].journal();
    EXPECT_EQ(journal.disorder, 0u) << "receiver " << id;
    EXPECT_EQ(journal.strange, 0u) << "receiver " << id;
    for (const auto& life : cluster.Lives(kMortal)) {
      const auto& lanes =
          journal.taken[kMortal][static_cast<std::size_t>(life->life())][1];
      const bool dead = life->life() < kKills;
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        SCOPED_TRACE(absl::StrCat("receiver ", id, ", life ", life->life(),
                                  ", lane ", lane));
        const SentStream& sent = life->journal().sent[0][lane];
        const TakenStream& taken = lanes[lane];
        EXPECT_LE(taken.last, sent.begun);
        if (!dead) {
          EXPECT_EQ(taken.last, sent.accepted);
        }
        EXPECT_EQ(taken.first, taken.count > 0 ? 1u : 0u);
        EXPECT_EQ(taken.count, taken.last);
        if (dead) taken_of_dead += taken.count;
      }
    }
  }
  EXPECT_GT(taken_of_dead, 0u);
}

// Its host refuses connections, so nobody waits for the timeout.
TEST_P(KillTest, IsDownLongBeforeTheTimeout) {
  ProcessSpec spec = Spec({1, kMortal, 3});
  spec.options = "\"peer_timeout_ms\": 3600000";
  ProcessCluster cluster(std::move(spec));
  ASSERT_TRUE(cluster.Start());
  for (int kill = 0; kill < kKills; ++kill) {
    cluster[kMortal].Kill();
    for (int id : {1, 3}) cluster[id].AwaitEvent(PeerEvent::kDown, kMortal);
    ASSERT_TRUE(cluster.StartNextLife(kMortal));
    for (int id : {1, 3}) cluster[id].AwaitEvent(PeerEvent::kUp, kMortal);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, KillTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

using SigpipeCase = std::tuple<const char*, AddressKind>;

class SigpipeTest : public testing::TestWithParam<SigpipeCase> {};

// The processes do not change the default of SIGPIPE, so one that raises it
// ends.
TEST_P(SigpipeTest, NoResetRaisesIt) {
  ProcessSpec spec;
  spec.transport = std::get<0>(GetParam());
  spec.address_kind = std::get<1>(GetParam());
  spec.ids = {1, kMortal};
  ProcessCluster cluster(std::move(spec));
  ASSERT_TRUE(cluster.Start());
  cluster[1].Say("flood 20000 2");
  for (int kill = 0; kill < kKills; ++kill) {
    cluster[kMortal].AwaitArrivals(100);
    cluster[kMortal].Kill();
    ASSERT_TRUE(cluster.StartNextLife(kMortal));
    cluster[1].AwaitEvent(PeerEvent::kRestarted, kMortal);
  }
  cluster[kMortal].AwaitArrivals(100);
  cluster.HaltAndFlush({1});
  EXPECT_TRUE(cluster[1].running());

  cluster[1].Say("sigpipe");
  EXPECT_EQ(cluster[1].WaitForEnd(), "killed by signal 13");
}

INSTANTIATE_TEST_SUITE_P(Backends, SigpipeTest,
                         testing::Combine(testing::ValuesIn(SocketTransports()),
                                          testing::Values(AddressKind::kIpv4,
                                                          AddressKind::kIpc)),
                         [](const testing::TestParamInfo<SigpipeCase>& info) {
                           return absl::StrCat(
                               std::get<0>(info.param), "_",
                               AddressKindName(std::get<1>(info.param)));
                         });

}  // namespace
}  // namespace cluster::internal
