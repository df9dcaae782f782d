// ApplyConfig under load, over each backend, in plaintext and secured: nothing is
// lost or doubled on what stays, and no peer flaps.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "cluster/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/delivery_ledger.h"
#include "tests/harness/event_log.h"
#include "tests/harness/flood.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Servers 1 and 2 stay, and send to each other without end. Server 3 comes and goes.
class ApplyConfigTest : public testing::TestWithParam<const char*> {
 protected:
  ApplyConfigTest() : cluster_(Spec()) {}

  void SetUp() override {
    ASSERT_TRUE(cluster_.Start());
    ASSERT_TRUE(log_.WaitUntilAllUp({1, 2, 3}));
    for (int id : {1, 2}) configs_[id] = cluster_.server(id).CurrentConfig();
    floods_[0] = MakeFlood(1, 2);
    floods_[1] = MakeFlood(2, 1);
  }

  ClusterSpec Spec() {
    absl::string_view transport = GetParam();
    ClusterSpec spec;
    spec.secured = absl::ConsumePrefix(&transport, "secured_");
    spec.config.transport = std::string(transport);
    spec.config.linger = absl::ZeroDuration();
    // Long, so that no slow moment of the machine is a peer that flaps.
    spec.config.heartbeat = absl::Seconds(20);
    spec.config.peer_timeout = absl::Minutes(5);
    spec.ids = FirstIds(3);
    spec.on_envelope = [this](int receiver, const EnvelopeView& envelope) {
      ledger_.Arrived(receiver, envelope);
    };
    spec.on_event = log_.Sink();
    return spec;
  }

  std::unique_ptr<Flood> MakeFlood(int from, int to) {
    return std::make_unique<Flood>(
        &cluster_.server(from), std::vector<int>{to},
        static_cast<std::uint64_t>(from),
        [this](int receiver, const EnvelopeView& envelope) {
          ledger_.Sent(receiver, envelope);
        });
  }

  void Apply(int id, const std::function<void(Config*)>& change) {
    change(&configs_[id]);
    const absl::Status status = cluster_.server(id).ApplyConfig(configs_[id]);
    ASSERT_TRUE(status.ok()) << status;
    // Between two changes the load goes on.
    ASSERT_TRUE(ledger_.WaitForArrivals(ledger_.arrived() + 100));
  }

  // Servers 1 and 2 were up all the time too.
  void CheckAll() {
    Check();
    for (const auto& [observer, event] : log_.Entries()) {
      const bool stays = observer != 3 && (event.peer == 1 || event.peer == 2);
      const bool good = event.type == PeerEvent::kUp ||
                        event.type == PeerEvent::kWarning;  // times do not fit
      EXPECT_TRUE(good || !stays) << observer << ": " << event;
    }
  }
  // Servers 1 and 2 have lost nothing.
  void Check() {
    for (auto& flood : floods_) flood.reset();
    ASSERT_TRUE(cluster_.server(1).Flush(2, absl::Seconds(60)).ok());
    ASSERT_TRUE(cluster_.server(2).Flush(1, absl::Seconds(60)).ok());
    EXPECT_TRUE(ledger_.WaitUntilAllArrived());
    EXPECT_THAT(ledger_.Problems(), IsEmpty());
    EXPECT_EQ(cluster_.Stats(1).Peer(2)->sessions, 1u);
    EXPECT_EQ(cluster_.Stats(2).Peer(1)->sessions, 1u);
  }

  DeliveryLedger ledger_;
  EventLog log_;
  Config configs_[3];
  TestCluster cluster_;
  std::unique_ptr<Flood> floods_[2];
};

TEST_P(ApplyConfigTest, AllThatIsLiveChangesUnderLoad) {
  for (int id : {1, 2}) {
    Apply(id, [&](Config* config) { config->servers.pop_back(); });
    Apply(id, [&](Config* config) {
      config->servers.push_back({3, cluster_.address(3)});
    });
    Apply(id, [&](Config* config) {
      config->heartbeat = absl::Milliseconds(200);
      config->peer_timeout = absl::Minutes(1);
    });
    Apply(id, [&](Config* config) {
      config->heartbeat = absl::Seconds(20);
      config->peer_timeout = absl::Minutes(5);
    });
    Apply(id, [](Config* config) {
      config->queue_bytes_max = config->frame_bytes;
      config->answer_bytes_reserved = 0;
      config->on_peer_restart = OnPeerRestart::kDrop;
    });
    Apply(id, [](Config* config) {
      config->queue_bytes_max = SessionLimits().queue_bytes_max;
      config->on_peer_restart = OnPeerRestart::kResend;
      config->inbox_bytes_max ^= 1;
      config->slow_handler = absl::ZeroDuration();
      config->linger = absl::Seconds(1);
    });
  }
  CheckAll();
}

TEST_P(ApplyConfigTest, WhatIsRefusedChangesNothingUnderLoad) {
  Config wanted = configs_[1];
  wanted.servers.pop_back();
  wanted.heartbeat = absl::Seconds(1);
  wanted.window_bytes /= 2;
  const absl::Status status = cluster_.server(1).ApplyConfig(wanted);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("$.window_bytes"));
  EXPECT_EQ(cluster_.server(1).Peers(), (std::vector<int>{2, 3}));
  EXPECT_EQ(cluster_.server(1).CurrentConfig().heartbeat,
            configs_[1].heartbeat);
  CheckAll();
}

INSTANTIATE_TEST_SUITE_P(Backends, ApplyConfigTest,
                         testing::ValuesIn(With(AllTransports(),
                                                SecuredTransports())),
                         TransportName);

using ApplyAddressTest = ApplyConfigTest;

// The connection goes to another address, and what was on its way with it.
TEST_P(ApplyAddressTest, AMemberThatMovesLosesNothing) {
  const std::string address = cluster_.address(2);
  const std::string other =
      absl::StrCat("localhost", address.substr(address.rfind(':')));
  for (int round = 0; round < 4 && !HasFailure(); ++round) {
    Apply(1, [&](Config* config) {
      config->servers[1].address = round % 2 == 0 ? other : address;
    });
  }
  Check();
}

INSTANTIATE_TEST_SUITE_P(Backends, ApplyAddressTest,
                         testing::ValuesIn(With(SocketTransports(),
                                                SecuredTransports())),
                         TransportName);

using ApplyKeysTest = ApplyConfigTest;

TEST_P(ApplyKeysTest, AFolderWithoutKeysRefusesAll) {
  Config wanted = configs_[1];
  wanted.security.identity += "-not";
  wanted.linger = absl::Minutes(1);
  EXPECT_FALSE(cluster_.server(1).ApplyConfig(wanted).ok());
  EXPECT_EQ(cluster_.server(1).CurrentConfig().linger, absl::ZeroDuration());
  ASSERT_TRUE(ledger_.WaitForArrivals(ledger_.arrived() + 100));
  Apply(1, [](Config*) {});  // reads the same ones again
  CheckAll();
}

INSTANTIATE_TEST_SUITE_P(Backends, ApplyKeysTest,
                         testing::ValuesIn(SecuredTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
