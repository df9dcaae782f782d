// A server that claims to be of a newer release, beside today's, over each backend.
// It speaks a newer version of the wire format too, has features that are not known
// here, and says more in its hellos. Nothing is lost, and nobody complains.

#include <string>
#include <utility>

#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "cluster/codec/hello.h"
#include "cluster/server.h"
#include "cluster/transport/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/delivery_ledger.h"
#include "tests/harness/event_log.h"
#include "tests/harness/flood.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"
#include "tests/security/forging_transport.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr int kNewer = 3;

void ClaimMore(FrameHeader* header, std::string* body) {
  // Goodbyes and refusals have the highest version too.
  if (header->kind == FrameKind::kData || header->kind == FrameKind::kControl)
    return;
  header->version += 2;
  Hello hello;
  if (header->kind != FrameKind::kHello || !DecodeHello(*body, &hello)) return;
  hello.versions.max = static_cast<std::uint8_t>(hello.versions.max + 2);
  hello.features |= std::uint64_t{0xffff} << 40;
  *body = EncodeHello(hello);
  body->append("\xe7\x03\x05\x00hello", 9);  // type 999, of 5 bytes
}

class NewerReleaseTest : public testing::TestWithParam<const char*> {
 protected:
  ClusterSpec Spec() {
    absl::string_view transport = GetParam();
    ClusterSpec spec;
    spec.secured = absl::ConsumePrefix(&transport, "secured_");
    spec.config.transport = std::string(transport);
    spec.ids = FirstIds(3);
    spec.on_event = log_.Sink();
    spec.on_envelope = [this](int receiver, const EnvelopeView& envelope) {
      ledger_.Arrived(receiver, envelope);
    };
    forgery_.Begin(ClaimMore);
    spec.make_server = [this](int id, const Config& config) {
      if (id != kNewer) return NewServer(id, config);
      return NewServer(id, config,
                       forgery_.Around(*FindTransport(config.transport)));
    };
    return spec;
  }

  Forgery forgery_;
  DeliveryLedger ledger_;
  EventLog log_;
};

TEST_P(NewerReleaseTest, ExchangesEnvelopesWithTodays) {
  TestCluster cluster(Spec());
  ASSERT_TRUE(cluster.Start());
  ASSERT_TRUE(log_.WaitUntilAllUp({1, 2, 3}));
  const auto flood = [&](int from, std::vector<int> to) {
    return Flood(&cluster.server(from), std::move(to),
                 static_cast<std::uint64_t>(from),
                 [&](int receiver, const EnvelopeView& envelope) {
                   ledger_.Sent(receiver, envelope);
                 });
  };
  {
    const Flood of_today = flood(1, {2, kNewer});
    const Flood of_newer = flood(kNewer, {1, 2});
    EXPECT_TRUE(ledger_.WaitForArrivals(2000));
  }
  ASSERT_TRUE(cluster.FlushAll());
  EXPECT_TRUE(ledger_.WaitUntilAllArrived());
  EXPECT_THAT(ledger_.Problems(), IsEmpty());
  EXPECT_THAT(SettledProblems(cluster), IsEmpty());
  for (const auto& [observer, event] : log_.Entries())
    EXPECT_EQ(event.type, PeerEvent::kUp) << observer << ": " << event;
  cluster.Stop(kNewer);
  EXPECT_TRUE(log_.WaitFor(1, PeerEvent::kDown, "it stopped"));
}

INSTANTIATE_TEST_SUITE_P(Backends, NewerReleaseTest,
                         testing::ValuesIn(With(AllTransports(),
                                                SecuredTransports())),
                         TransportName);

}  // namespace
}  // namespace cluster::internal
