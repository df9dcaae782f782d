#include "tests/chaos/chaos_cluster.h"

#include <utility>

#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

// The mean of all envelopes: most are much smaller, one in a hundred is large.
constexpr std::size_t kPayloadBytesMean = 150;

DeliveryLedger::Promise PromiseOf(Delivery delivery) {
  return delivery == Delivery::kReliable ? DeliveryLedger::Promise::kExactlyOnce
                                         : DeliveryLedger::Promise::kAtMostOnce;
}

}  // namespace

Config BackendConfig(const std::string& backend) {
  Config config;
  absl::string_view transport = backend;
  if (absl::ConsumePrefix(&transport, "secured_"))
    config.security.mode = SecurityConfig::Mode::kMutual;
  config.transport = std::string(transport);
  return config;
}

Config ChaosConfig(const std::string& backend) {
  Config config = BackendConfig(backend);
  config.frame_bytes = 8u << 10;
  config.inflight_bytes = 128u << 10;
  config.queue_bytes_max = 256u << 10;
  config.heartbeat = absl::Milliseconds(50);
  config.peer_timeout = absl::Milliseconds(400);
  return config;
}

Load SmallLoad(std::uint64_t envelopes, std::uint64_t seed) {
  Load load;
  load.seed = seed;
  load.envelopes_min = load.envelopes_max = envelopes;
  load.payload_bytes = 2 * envelopes * kPayloadBytesMean;
  load.large_payloads = 0;
  return load;
}

ChaosCluster::ChaosCluster(const Config& config, int servers,
                           std::function<void(TcpProxy*)> prepare)
    : ledger_(PromiseOf(config.delivery)),
      mesh_(std::move(prepare)),
      cluster_(Spec(config, servers)) {}

ClusterSpec ChaosCluster::Spec(const Config& config, int servers) {
  ClusterSpec spec;
  spec.config = config;
  spec.ids = FirstIds(servers);
  spec.secured = config.security.mode == SecurityConfig::Mode::kMutual;
  spec.route = mesh_.Router();
  spec.on_envelope = [this](int receiver, const EnvelopeView& envelope) {
    ledger_.Arrived(receiver, envelope);
  };
  spec.on_event = [this](int observer, const PeerEvent& event) {
    watch_.Add(observer, event);
  };
  return spec;
}

bool ChaosCluster::Start() {
  if (!StartOnly()) return false;
  for (int observer : cluster_.ids()) {
    for (int peer : cluster_.ids()) {
      if (peer != observer && !watch_.WaitUntilUp(observer, peer)) return false;
    }
  }
  return true;
}

void ChaosCluster::Exchange(std::uint64_t envelopes, std::uint64_t seed) {
  Exchange(SmallLoad(envelopes, seed));
}

void ChaosCluster::Exchange(const Load& load) {
  RunScenario(Scenario::kUnicast, load, &cluster_, &ledger_);
}

void ChaosCluster::Broadcast(int from, std::uint64_t envelopes) {
  Envelope envelope;
  envelope.pid = kBroadcast;
  envelope.sender_id = from;
  for (std::uint64_t i = 0; i < envelopes; ++i) {
    envelope.term = i;
    envelope.payload = std::string(i % 50, 'x');
    const absl::StatusOr<MessageId> id =
        cluster_.server(from).SendWithId(envelope, absl::Seconds(30));
    ASSERT_TRUE(id.ok()) << id.status();
    envelope.message_id = *id;
    for (int to : cluster_.ids()) {
      if (to != from) ledger_.Sent(to, envelope);
    }
  }
}

void ChaosCluster::SendOne(int from, int to) {
  Envelope envelope;
  envelope.pid = to;
  envelope.sender_id = from;
  const absl::StatusOr<MessageId> id =
      cluster_.server(from).SendWithId(envelope, absl::Seconds(30));
  ASSERT_TRUE(id.ok()) << id.status();
  envelope.message_id = *id;
  ledger_.Sent(to, envelope);
}

void ChaosCluster::ExpectAllOnce(bool strangers) {
  EXPECT_TRUE(ledger_.WaitUntilAllArrived());
  EXPECT_THAT(ledger_.Problems(), IsEmpty());
  if (!cluster_.FlushAll()) return;
  EXPECT_THAT(SettledProblems(cluster_, strangers), IsEmpty());
  for (int id : cluster_.ids()) {
    for (const PeerStats& peer : cluster_.Stats(id).peers)
      EXPECT_EQ(peer.sessions, 1u) << "server " << id << ", " << peer;
  }
}

}  // namespace cluster::internal
