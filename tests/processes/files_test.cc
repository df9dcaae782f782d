// A server runs out of file descriptors, because strangers connect without end.

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/transport/zmq/testing/raw_tcp.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/transports.h"
#include "tests/processes/process_cluster.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

// Enough for what AddPeer reserves for a third member.
constexpr std::size_t kSpareFiles = 32;
constexpr std::size_t kUnacceptable = 20;  // connections beyond those

class FilesTest : public testing::TestWithParam<const char*> {};

TEST_P(FilesTest, StrangersThatTakeAllCostMembersNothing) {
  ProcessSpec spec;
  spec.transport = GetParam();
  spec.ids = {1, 2};
  // So that the server does not close the strangers' connections meanwhile.
  spec.options = "\"handshake_timeout_ms\": 600000";
  ProcessCluster cluster(std::move(spec));
  ASSERT_TRUE(cluster.Start());
  cluster[1].Say("flood 100 2");
  cluster[2].Say("flood 100 1");
  for (int id : {1, 2}) cluster[id].AwaitArrivals(1000);

  const std::size_t limit = cluster[1].OpenFiles() + kSpareFiles;
  cluster[1].Ask(absl::StrCat("files ", limit), "limited");
  std::vector<RawTcp> strangers;
  for (std::size_t i = 0; i < kSpareFiles + kUnacceptable; ++i)
    strangers.push_back(RawTcp::Connect(cluster.address(1)));
  do {
    for (int id : {1, 2}) cluster[id].AwaitArrivals(1000);
    ASSERT_FALSE(HasFailure());
  } while (cluster[1].OpenFiles() < limit);
  // Without a descriptor for it, a new member may be refused, and no worse.
  cluster[1].Ask(absl::StrCat("try-peer 4 ", cluster.address(2)), "tried");
  // Accepting has failed by now, or fails while these arrive.
  for (int id : {1, 2}) cluster[id].AwaitArrivals(100000);

  strangers.clear();
  do {
    for (int id : {1, 2}) cluster[id].AwaitArrivals(1000);
    ASSERT_FALSE(HasFailure());
  } while (cluster[1].OpenFiles() > limit - kSpareFiles);
  ASSERT_TRUE(cluster.Join(3));
  for (int id : {1, 2}) {
    cluster[id].AwaitEvent(PeerEvent::kUp, 3);
    cluster[3].AwaitEvent(PeerEvent::kUp, id);
    cluster[id].Say("flood 100 3");
  }
  cluster[3].Say("flood 100 1 2");
  for (int id : {1, 2, 3}) cluster[id].AwaitArrivals(1000);
  cluster.HaltAndFlush({1, 2, 3});
  for (int id : {1, 2, 3}) {
    for (int other : cluster.Others(id)) {
      EXPECT_THAT(cluster.DeliveryProblems(id, other), IsEmpty());
      EXPECT_EQ(
          cluster[id].journal().peers[static_cast<std::size_t>(other)].sessions,
          1u);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, FilesTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
