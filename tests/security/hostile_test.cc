// 500 strangers connect to a cluster that runs the four scenarios: silent,
// garbled, in plaintext or with keys of their own. All guarantees hold.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"
#include "tests/harness/event_log.h"
#include "tests/harness/seed.h"
#include "tests/scenarios/scenario.h"
#include "tests/security/hostile_crowd.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr int kRawStrangers = 400;
constexpr int kKeyedStrangers = 4;  // each with this many connections:
constexpr int kConnectionsEach = 25;

// How often each scenario runs, alone and with strangers by turns.
constexpr int kRounds = HOSTILE_ROUNDS;
constexpr std::uint64_t kEnvelopes = HOSTILE_ENVELOPES;

// A stranger that keeps the protocol, and has keys that the cluster does not
// know.
class KeyedStranger {
 public:
  // `keys` are foreign. The first of their servers dials. It expects the others
  // at the cluster's addresses, but the cluster's servers have different keys.
  KeyedStranger(const KeyRequest& keys, const std::vector<std::string>& doors) {
    TransportConfig config;
    config.cluster = keys.cluster;
    config.server_id = keys.server_ids[0];
    config.security.emplace();
    config.security->identity =
        absl::StrCat(keys.folder, "/", keys.server_ids[0]);
    for (std::size_t i = 1; i < keys.server_ids.size(); ++i) {
      config.security->peers[keys.server_ids[i]] =
          absl::StrCat(keys.folder, "/public/", keys.server_ids[i]);
    }
    auto transport = (*FindTransport(SECURITY_BACKEND))(config);
    EXPECT_TRUE(transport.ok()) << transport.status();
    transport_ = *std::move(transport);
    EXPECT_TRUE(
        transport_->Start(&handler_, FreshAddress(AddressKind::kIpv4)).ok());
    for (std::size_t i = 1; i < keys.server_ids.size(); ++i) {
      EXPECT_TRUE(
          transport_->Connect(keys.server_ids[i], doors[i % doors.size()], 1)
              .ok());
    }
  }

 private:
  RecordingHandler handler_;
  std::unique_ptr<Transport> transport_;
};

class HostileTest : public testing::Test {
 protected:
  void SetUp() override {
    // Both ends of each connection are in this process.
    rlimit files;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);

    for (int i = 0; i <= kConnectionsEach; ++i)
      foreign_.server_ids.push_back(1 + i);
    foreign_.cluster = "foreign";
    foreign_.folder = absl::StrCat(ScratchFolder(), "/foreign");
    ASSERT_TRUE(MakeKeys(foreign_).ok());
  }

  // Runs a scenario on a new cluster; returns envelopes per second.
  double Run(Scenario scenario, bool hostile) {
    DeliveryLedger ledger;
    EventLog log;
    ClusterSpec spec;
    spec.config.transport = SECURITY_BACKEND;
    spec.ids = FirstIds(3);
    spec.secured = true;
    spec.on_envelope = [&](int receiver, const EnvelopeView& envelope) {
      ledger.Arrived(receiver, envelope);
    };
    spec.on_event = log.Sink();
    TestCluster cluster(std::move(spec));
    EXPECT_TRUE(cluster.Start());
    EXPECT_TRUE(log.WaitUntilAllUp(cluster.ids()));
    std::vector<std::string> doors;
    for (int id : cluster.ids()) doors.push_back(cluster.address(id));
    std::unique_ptr<HostileCrowd> crowd;
    std::vector<std::unique_ptr<KeyedStranger>> keyed;
    if (hostile) {
      crowd = std::make_unique<HostileCrowd>(doors, kRawStrangers);
      for (int i = 0; i < kKeyedStrangers; ++i)
        keyed.push_back(std::make_unique<KeyedStranger>(foreign_, doors));
      EXPECT_TRUE(crowd->WaitForConnections(kRawStrangers));
    }
    Load load;
    load.seed = TestSeed();
    load.envelopes_min = load.envelopes_max = kEnvelopes;
    const auto start = std::chrono::steady_clock::now();
    RunScenario(scenario, load, &cluster, &ledger);
    EXPECT_TRUE(ledger.WaitUntilAllArrived());
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    EXPECT_THAT(ledger.Problems(), IsEmpty());
    if (hostile) ExpectNobodyCameIn(cluster);
    return static_cast<double>(ledger.arrived()) / took.count();
  }

  static void ExpectNobodyCameIn(const TestCluster& cluster) {
    std::uint64_t refused = 0;
    for (int id : cluster.ids()) {
      const ServerStats stats = cluster.Stats(id);
      for (std::uint64_t count : stats.refused) refused += count;
      for (const PeerStats& peer : stats.peers)
        EXPECT_EQ(peer.sessions, 1u) << id << " with " << peer;
    }
    EXPECT_GT(refused, 0u);
  }

  KeyRequest foreign_;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// It prints the ratios and asserts none, since they depend on the machine.
TEST_F(HostileTest, TheFourScenariosRunAllTheSame) {
  for (Scenario scenario : {Scenario::kUnicast, Scenario::kMulticast,
                            Scenario::kMixed, Scenario::kCyclic}) {
    std::vector<double> quiet;
    std::vector<double> hostile;
    for (int round = 0; round < kRounds; ++round) {
      if (round % 2 == 0) quiet.push_back(Run(scenario, false));
      hostile.push_back(Run(scenario, true));
      if (round % 2 != 0) quiet.push_back(Run(scenario, false));
    }
    std::cout << SECURITY_BACKEND << " " << ScenarioName(scenario) << ": "
              << Median(quiet) << " envelopes/s alone, " << Median(hostile)
              << " among strangers (" << Median(hostile) / Median(quiet)
              << ")\n";
  }
}

}  // namespace
}  // namespace cluster::internal
