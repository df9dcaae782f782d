#include "tests/hostile/besieged_cluster.h"

#include <dirent.h>

#include <iostream>

#include "cluster/transport/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/seed.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr int kServers = 3;
constexpr int kRoundsMax = 2000;
constexpr std::uint64_t kEnvelopes = 10000;
constexpr std::size_t kPayloadBytes = 8 << 20;

}  // namespace

BesiegedCluster::BesiegedCluster(const std::string& backend,
                                 const std::function<void(Config*)>& change)
    : source_(TestSeed(), kEnvelopes, kPayloadBytes) {
  std::cout << "CLUSTER_TEST_SEED=" << TestSeed() << "\n";
  ClusterSpec spec;
  spec.config.transport = backend;
  spec.config.peer_timeout = absl::Seconds(60);
  change(&spec.config);
  spec.ids = FirstIds(kServers);
  spec.make_server = [this, backend](int id, const Config& config) {
    return NewServer(id, config, tap_.Around(*FindTransport(backend)));
  };
  spec.on_envelope = [this](int receiver, const EnvelopeView& envelope) {
    ledger_.Arrived(receiver, envelope);
  };
  cluster_ = std::make_unique<TestCluster>(std::move(spec));
  EXPECT_TRUE(cluster_->Start());
  Exchange(3);
}

void BesiegedCluster::Send(int envelopes) {
  for (int i = 0; i < envelopes; ++i) {
    for (int sender : cluster_->ids()) {
      for (int receiver : cluster_->ids()) {
        if (receiver == sender) continue;
        Envelope envelope = source_.Next();
        envelope.pid = receiver;
        envelope.sender_id = sender;
        const absl::StatusOr<MessageId> id =
            cluster_->server(sender).SendWithId(envelope, absl::Seconds(30));
        ASSERT_TRUE(id.ok()) << id.status();
        envelope.message_id = *id;
        ledger_.Sent(receiver, envelope);
      }
    }
  }
}

void BesiegedCluster::Exchange(int envelopes) {
  Send(envelopes);
  EXPECT_TRUE(ledger_.WaitUntilAllArrived());
  EXPECT_TRUE(cluster_->FlushAll());
}

bool BesiegedCluster::WaitForFiles(int files) {
  for (int round = 0; round < kRoundsMax && OpenFiles() > files; ++round)
    Exchange(1);
  return OpenFiles() <= files;
}

void BesiegedCluster::ExpectUnharmed() {
  EXPECT_THAT(ledger_.Problems(), IsEmpty());
  for (int id : cluster_->ids()) {
    const ServerStats stats = cluster_->Stats(id);
    EXPECT_THAT(BalanceProblems(id, stats), IsEmpty());
    for (int peer : cluster_->ids()) {
      if (peer == id) continue;
      const PeerStats& seen = *stats.Peer(peer);
      EXPECT_TRUE(seen.up) << "server " << id << ", " << seen;
      EXPECT_EQ(seen.sessions, 1u) << "server " << id << ", " << seen;
      EXPECT_EQ(DroppedSum(seen), 0u) << "server " << id << ", " << seen;
    }
  }
}

int OpenFiles() {
  DIR* const folder = opendir("/proc/self/fd");
  int files = 0;
  while (readdir(folder) != nullptr) ++files;
  closedir(folder);
  return files;
}

}  // namespace cluster::internal
