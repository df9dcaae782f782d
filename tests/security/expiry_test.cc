// Certificates that will soon expire: every server that trusts one warns, and has
// its date.

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"
#include "tests/harness/event_log.h"
#include "tests/harness/test_cluster.h"

namespace cluster::internal {
namespace {

TEST(ExpiryTest, IsWarnedOfAndHasADate) {
  EventLog log;
  ClusterSpec spec;
  spec.config.transport = SECURITY_BACKEND;
  spec.ids = FirstIds(2);
  spec.secured = true;
  spec.on_event = log.Sink();
  spec.on_envelope = [](int, const EnvelopeView&) {};
  TestCluster cluster(std::move(spec));
  ASSERT_TRUE(cluster.Start());
  const auto days = [](absl::Time time) {
    return absl::ToDoubleHours(time - absl::Now()) / 24;
  };
  const auto new_certificate = [&](int validity_days) {
    KeyRequest request = cluster.keys();
    request.server_ids = {2};
    request.replace = true;
    request.validity_days = validity_days;
    EXPECT_TRUE(MakeKeys(request).ok());
    for (int id : cluster.ids())
      EXPECT_TRUE(cluster.server(id).ReloadSecurity().ok());
    const absl::Time its = cluster.Stats(1).Peer(2)->certificate_expires;
    EXPECT_EQ(cluster.Stats(2).own.certificate_expires, its);
    EXPECT_GT(days(cluster.Stats(2).Peer(1)->certificate_expires), 300);
    EXPECT_GT(days(cluster.Stats(1).own.certificate_expires), 300);
    return days(its);
  };
  const auto warned = [&](int observer, const char* text) {
    return log.WaitFor([&](const EventLog::Entry& entry) {
      return entry.first == observer && entry.second.peer == 2 &&
             entry.second.type == PeerEvent::kWarning &&
             absl::StrContains(entry.second.reason, text);
    });
  };
  const double soon = new_certificate(10);
  EXPECT_TRUE(soon > 8 && soon < 10) << soon;
  EXPECT_TRUE(warned(1, "its certificate (server-2.")) << log.Text();
  EXPECT_TRUE(warned(2, "this server's certificate (server-2.")) << log.Text();
  EXPECT_GT(new_certificate(365), 300);
}

}  // namespace
}  // namespace cluster::internal
