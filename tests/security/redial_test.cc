// A server's connections die, and the other end does not notice. The server
// dials again and again, the other end hears it each time, and bounds the
// connections that are left over.

#include <cstdint>

#include "cluster/transport/stream/admission.h"
#include "gtest/gtest.h"
#include "tests/harness/event_log.h"
#include "tests/harness/proxy_mesh.h"
#include "tests/harness/test_cluster.h"

namespace cluster::internal {
namespace {

constexpr std::uint64_t kConnectionsMax = stream::Admission::kProvenMax;
constexpr std::uint64_t kRounds = 2 * kConnectionsMax;

TEST(RedialTest, HalfOpenConnectionsAreBoundedAndTheLatestIsHeard) {
  EventLog log;
  ProxyMesh mesh;
  ClusterSpec spec;
  spec.config.transport = SECURITY_BACKEND;
  spec.ids = FirstIds(2);
  spec.secured = true;
  spec.route = mesh.Router();
  spec.on_event = log.Sink();
  spec.on_envelope = [](int, const EnvelopeView&) {};
  TestCluster cluster(std::move(spec));
  ASSERT_TRUE(cluster.Start());
  for (std::uint64_t round = 1; round <= kRounds; ++round) {
    Envelope envelope;
    envelope.pid = 1;
    ASSERT_TRUE(cluster.server(2).Send(envelope).ok()) << round;
    ASSERT_TRUE(cluster.server(2).Flush(absl::Seconds(60)).ok()) << round;
    mesh.proxy(2, 1).Lose(Side::kDialler);
  }
  const ServerStats stats = cluster.Stats(1);
  ASSERT_GE(stats.Refused(RefusalReason::kSilent) +
                stats.Peer(2)->Refused(RefusalReason::kSilent),
            kRounds - kConnectionsMax);
  EXPECT_TRUE(log.WaitForRejection(1, "connections to this one")) << log.Text();
  EXPECT_EQ(stats.Peer(2)->received, kRounds);
  EXPECT_EQ(stats.Peer(2)->sessions, 1u);
}

}  // namespace
}  // namespace cluster::internal
