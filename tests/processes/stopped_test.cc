// SIGSTOP holds a process for longer than peer_timeout; then it goes on.

#include <csignal>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/transports.h"
#include "tests/processes/process_cluster.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr int kHeld = 3;

class StoppedTest : public testing::TestWithParam<const char*> {};

TEST_P(StoppedTest, IsDownAndThenUpAgainInTheSameSession) {
  ProcessSpec spec;
  spec.transport = GetParam();
  spec.ids = {1, 2, kHeld};
  spec.options = "\"heartbeat_ms\": 50, \"peer_timeout_ms\": 500";
  ProcessCluster cluster(std::move(spec));
  ASSERT_TRUE(cluster.Start());
  for (int id : cluster.ids()) {
    std::string flood = "flood 100";
    for (int other : cluster.Others(id)) absl::StrAppend(&flood, " ", other);
    cluster[id].Say(flood);
  }
  for (int id : cluster.ids()) cluster[id].AwaitArrivals(1000);
  for (int round = 0; round < 2; ++round) {
    cluster[kHeld].Signal(SIGSTOP);
    for (int id : {1, 2}) cluster[id].AwaitEvent(PeerEvent::kDown, kHeld);
    cluster[kHeld].Signal(SIGCONT);
    for (int id : {1, 2}) cluster[id].AwaitEvent(PeerEvent::kUp, kHeld);
    for (int id : cluster.ids()) cluster[id].AwaitArrivals(1000);
  }
  cluster.HaltAndFlush(cluster.ids());
  for (int id : cluster.ids()) {
    for (int other : cluster.Others(id)) {
      EXPECT_THAT(cluster.DeliveryProblems(id, other), IsEmpty());
      const PeerFigures& figures =
          cluster[id].journal().peers[static_cast<std::size_t>(other)];
      EXPECT_EQ(figures.sessions, 1u) << id << " to " << other;
      EXPECT_EQ(figures.dropped, 0u) << id << " to " << other;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, StoppedTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
