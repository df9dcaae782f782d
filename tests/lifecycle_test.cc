// Servers that stop, restart, join and leave at full load, over each backend.

#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cluster/base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/delivery_ledger.h"
#include "tests/harness/flood.h"
#include "tests/harness/process_resources.h"
#include "tests/harness/seed.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"
#include "tests/harness/watchdog.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr int kStopRounds = LIFECYCLE_STOP_ROUNDS;
constexpr int kRestarts = LIFECYCLE_RESTARTS;

// Counts the envelopes that one life of a receiver gets from each sender. Also
// checks that the numbers of each stream rise, over all lives of the sender.
class Arrivals {
 public:
  void Add(const EnvelopeView& envelope) {
    MutexLock lock(&mutex_);
    MessageId& last = last_[{envelope.sender_id, envelope.lane}];
    const bool rises = envelope.message_id.incarnation > last.incarnation ||
                       (envelope.message_id.incarnation == last.incarnation &&
                        envelope.message_id.sequence > last.sequence);
    EXPECT_TRUE(rises) << envelope.ToEnvelope() << " after " << last;
    last = envelope.message_id;
    ++counts_[envelope.sender_id];
    changed_.NotifyAll();
  }
  void Clear() {
    MutexLock lock(&mutex_);
    last_.clear();
    counts_.clear();
  }
  // Waits for `count` more envelopes of the sender.
  bool WaitForMore(int sender, std::uint64_t count) {
    MutexLock lock(&mutex_);
    const std::uint64_t goal = counts_[sender] + count;
    return changed_.WaitFor(&mutex_, std::chrono::seconds(60),
                            [&] { return counts_[sender] >= goal; });
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::map<std::pair<int, Lane>, MessageId> last_;
  std::map<int, std::uint64_t> counts_;
};

class LifecycleTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    seed_ = TestSeed();
    std::cout << "CLUSTER_TEST_SEED=" << seed_ << "\n";
  }

  ClusterSpec Spec(int servers) {
    ClusterSpec spec;
    spec.config.transport = GetParam();
    spec.config.linger = absl::Milliseconds(50);
    spec.ids = FirstIds(servers);
    spec.on_envelope = [](int, const EnvelopeView&) {};
    spec.on_event = [](int, const PeerEvent&) {};
    return spec;
  }

  std::uint64_t NextSeed() { return PartSeed(seed_, parts_++); }

 private:
  std::uint64_t seed_ = 0;
  std::uint64_t parts_ = 0;
};

std::vector<int> Others(const std::vector<int>& ids, int self) {
  std::vector<int> others;
  for (int id : ids) {
    if (id != self) others.push_back(id);
  }
  return others;
}

// Far longer than linger, even with a sanitizer on a busy machine.
constexpr absl::Duration kStopLimit = absl::Seconds(30);

using Floods = std::map<int, std::unique_ptr<Flood>>;

// Its own flood goes on meanwhile.
void StopAndDestroy(int id, TestCluster* cluster, Floods* floods) {
  {
    Watchdog watchdog("Stop", kStopLimit);
    cluster->Stop(id);
  }
  EXPECT_THAT(BalanceProblems(id, cluster->Stats(id)), IsEmpty());
  floods->erase(id);
  cluster->Destroy(id);
}

// No thread may call a server while it is destroyed, so its own flood has to
// end first. Its queues are still full, and the others go on.
void DestroyRunning(int id, TestCluster* cluster, Floods* floods) {
  floods->erase(id);
  Watchdog watchdog("~Server", kStopLimit);
  cluster->DestroyRunning(id);
}

// Member fails the test if a callback comes after Stop or destruction.
TEST_P(LifecycleTest, StopAndDestroyUnderLoad) {
  ProcessResources first;
  for (int round = 0; round < kStopRounds; ++round) {
    ClusterSpec spec = Spec(3);
    spec.consumption = [](int) { return Consumption::kHandler; };
    std::map<int, Arrivals> arrivals;
    for (int id : spec.ids) arrivals[id];
    spec.on_envelope = [&](int receiver, const EnvelopeView& envelope) {
      arrivals.at(receiver).Add(envelope);
    };
    TestCluster cluster(std::move(spec));
    ASSERT_TRUE(cluster.Start());
    Floods floods;
    for (int id : cluster.ids()) {
      // Also to itself: another thread handles those.
      floods[id] =
          std::make_unique<Flood>(&cluster.server(id), cluster.ids(),
                                  NextSeed(), [](int, const EnvelopeView&) {});
    }
    for (int id : cluster.ids()) {
      for (int sender : cluster.ids())
        ASSERT_TRUE(arrivals.at(id).WaitForMore(sender, 50));
    }
    // Each server stops in one way and in the other by turns.
    for (int id : cluster.ids()) {
      if ((round + id) % 2 == 0) {
        StopAndDestroy(id, &cluster, &floods);
      } else {
        DestroyRunning(id, &cluster, &floods);
      }
    }
    // By now the libraries hold all that they keep for the process.
    if (round == 0) first = CountResources();
  }
  EXPECT_TRUE(WaitForResources(first))
      << first << " after the first round, now " << CountResources();
}

TEST_P(LifecycleTest, ARestartingPeerCostsTheOthersNothing) {
  constexpr int kMortal = 4;
  constexpr std::uint64_t kPerLife = 200;
  DeliveryLedger ledger;
  Arrivals of_mortal, from_mortal;
  ClusterSpec spec = Spec(kMortal);
  spec.on_envelope = [&](int receiver, const EnvelopeView& envelope) {
    if (receiver == kMortal) return of_mortal.Add(envelope);
    if (receiver == 1 && envelope.sender_id == kMortal)
      return from_mortal.Add(envelope);
    if (envelope.sender_id != kMortal) ledger.Arrived(receiver, envelope);
  };
  TestCluster cluster(std::move(spec));
  ASSERT_TRUE(cluster.Start());
  const auto told = [&](int receiver, const EnvelopeView& envelope) {
    if (receiver != kMortal) ledger.Sent(receiver, envelope);
  };
  std::vector<std::unique_ptr<Flood>> floods;
  for (int id = 1; id < kMortal; ++id) {
    floods.push_back(std::make_unique<Flood>(
        &cluster.server(id), Others(cluster.ids(), id), NextSeed(), told));
  }
  for (int life = 0; life <= kRestarts; ++life) {
    Flood mine(&cluster.server(kMortal), {1, 2, 3}, NextSeed(),
               [](int, const EnvelopeView&) {});
    for (int sender = 1; sender < kMortal; ++sender)
      EXPECT_TRUE(of_mortal.WaitForMore(sender, kPerLife)) << "life " << life;
    EXPECT_TRUE(from_mortal.WaitForMore(kMortal, kPerLife)) << "life " << life;
    if (life == kRestarts) break;
    cluster.Stop(kMortal);
    EXPECT_THAT(BalanceProblems(kMortal, cluster.Stats(kMortal)), IsEmpty());
    mine.Stop();
    of_mortal.Clear();
    ASSERT_TRUE(cluster.Restart(kMortal));
  }
  for (auto& flood : floods) flood->Stop();
  EXPECT_TRUE(cluster.FlushAll());
  EXPECT_TRUE(ledger.WaitUntilAllArrived());
  EXPECT_THAT(ledger.Problems(), IsEmpty());
  for (int id = 1; id < kMortal; ++id) {
    const ServerStats stats = cluster.Stats(id);
    EXPECT_THAT(BalanceProblems(id, stats), IsEmpty());
    EXPECT_GE(stats.Peer(kMortal)->sessions, 1u + kRestarts);
    for (int other : Others({1, 2, 3}, id)) {
      EXPECT_EQ(stats.Peer(other)->sessions, 1u);
      EXPECT_EQ(DroppedSum(*stats.Peer(other)), 0u);
    }
  }
}

TEST_P(LifecycleTest, PeersJoinAndLeaveUnderLoad) {
  constexpr int kGuest = 3;
  constexpr std::uint64_t kPerStay = 100;
  DeliveryLedger ledger;  // between 1 and 2
  DeliveryLedger guests(DeliveryLedger::Promise::kAtMostOnce);
  Arrivals of_guest, of_host;
  const auto of = [&](int one, int other) -> DeliveryLedger& {
    return one == kGuest || other == kGuest ? guests : ledger;
  };
  ClusterSpec spec = Spec(3);
  spec.on_envelope = [&](int receiver, const EnvelopeView& envelope) {
    of(receiver, envelope.sender_id).Arrived(receiver, envelope);
    if (receiver == kGuest) of_guest.Add(envelope);
    if (receiver == 1) of_host.Add(envelope);
  };
  TestCluster cluster(std::move(spec));
  ASSERT_TRUE(cluster.Start());
  const auto told = [&](int receiver, const EnvelopeView& envelope) {
    of(receiver, envelope.sender_id).Sent(receiver, envelope);
  };
  std::vector<std::unique_ptr<Flood>> floods;
  for (int id : cluster.ids()) {
    floods.push_back(std::make_unique<Flood>(
        &cluster.server(id), Others(cluster.ids(), id), NextSeed(), told));
  }
  for (int stay = 0; stay <= kRestarts; ++stay) {
    EXPECT_TRUE(of_guest.WaitForMore(1, kPerStay)) << "stay " << stay;
    EXPECT_TRUE(of_host.WaitForMore(kGuest, kPerStay)) << "stay " << stay;
    EXPECT_TRUE(of_host.WaitForMore(2, kPerStay)) << "stay " << stay;
    if (stay == kRestarts) break;
    ASSERT_TRUE(cluster.server(1).RemovePeer(kGuest).ok());
    EXPECT_THAT(cluster.server(1).Peers(), testing::ElementsAre(2));
    const absl::Status added =
        cluster.server(1).AddPeer(kGuest, cluster.address(kGuest));
    ASSERT_TRUE(added.ok()) << added;
  }
  for (auto& flood : floods) flood->Stop();
  EXPECT_TRUE(cluster.FlushAll());
  EXPECT_TRUE(ledger.WaitUntilAllArrived());
  EXPECT_THAT(ledger.Problems(), IsEmpty());
  EXPECT_THAT(guests.Problems(), IsEmpty());
  for (int id : cluster.ids())
    EXPECT_THAT(BalanceProblems(id, cluster.Stats(id)), IsEmpty());
  EXPECT_GT(cluster.Stats(1).Peer(kGuest)->Dropped(DropReason::kRemoved), 0u);
}

INSTANTIATE_TEST_SUITE_P(Backends, LifecycleTest,
                         testing::ValuesIn(AllTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
