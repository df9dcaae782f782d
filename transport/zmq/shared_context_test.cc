// Servers that share a ZeroMQ context: how it ends.

#include <sys/resource.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/base/descriptors.h"
#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/zmq/zmq_transport.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

absl::StatusOr<std::unique_ptr<Transport>> NewSharingTransport(
    const TransportConfig& config) {
  TransportConfig sharing = config;
  sharing.options.values["share_context"] = true;
  return NewZmqTransport(sharing);
}

class SharedContextTest : public TransportContract {
 protected:
  static void SetUpTestSuite() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
};

// ZeroMQ's threads go with it, and their descriptors.
TEST_P(SharedContextTest, EndsInTheLastStopWhenAllIsWritten) {
  constexpr int kFrames = 50;
  Node receiver;
  auto transport = NewZmqTransport(TransportConfig());
  ASSERT_TRUE(transport.ok()) << transport.status();
  receiver.transport = *std::move(transport);
  ASSERT_TRUE(
      receiver.transport->Start(&receiver.handler, FreshIpv4Address()).ok());
  const std::size_t before = DescriptorsInUse();
  auto other = StartNode(3);
  auto sender = StartNode(1);
  ASSERT_TRUE(sender != nullptr && other != nullptr);
  ASSERT_TRUE(sender->Connect(2, receiver.transport->Address()).ok());
  for (int i = 0; i < kFrames; ++i)
    ASSERT_TRUE(sender->SendWaiting(2, std::string(20000, 'l')));
  other->transport->Stop(absl::Hours(1));
  sender->transport->Stop(absl::Hours(1));
  // The two of each poll set are the transports', and one may be the
  // connection's other end.
  EXPECT_LE(DescriptorsInUse(), before + 2 * 2 + 1);
  EXPECT_TRUE(receiver.handler.WaitForFrames(kFrames));
}

TEST_P(SharedContextTest, ForgottenTransportsLeaveNoDescriptors) {
  const std::string nobody = DeadAddress();
  const std::size_t before = DescriptorsInUse();
  auto first = StartNode(1);
  auto last = StartNode(2);
  ASSERT_TRUE(first != nullptr && last != nullptr && nobody != "");
  ASSERT_TRUE(first->Connect(3, nobody).ok());
  ASSERT_GE(first->Fill(3, 1000, 10), 1u);
  first->transport->Stop(absl::Seconds(1));
  last->transport->Stop(absl::ZeroDuration());
  first.reset();
  last.reset();
  EXPECT_LE(DescriptorsInUse(), before);
}

// The time limit of the test is the bound.
TEST_P(SharedContextTest, TheLastOfSixtyDoesNotWaitForWhatTheOthersLingerFor) {
  constexpr int kServers = 60;
  const std::string nobody = DeadAddress();
  std::vector<std::unique_ptr<Node>> nodes;
  for (int id = 1; id <= kServers; ++id) {
    nodes.push_back(StartNode(id));
    ASSERT_TRUE(nodes.back() != nullptr);
    for (int peer = 100; peer < 103; ++peer) {
      ASSERT_TRUE(nodes.back()->Connect(peer, nobody).ok());
      ASSERT_GE(nodes.back()->Fill(peer, 1000, 10), 1u);
    }
    if (id == 1) continue;
    const std::string neighbour = nodes[id - 2]->transport->Address();
    ASSERT_TRUE(nodes.back()->Connect(id - 1, neighbour).ok());
  }
  for (int i = 0; i < kServers; ++i) {
    const bool last = i == kServers - 1;
    nodes[i]->transport->Stop(last ? absl::ZeroDuration() : absl::Hours(1));
  }
  // A later server has another one.
  auto later = StartNode(1);
  ASSERT_TRUE(later != nullptr);
  later->transport->Stop(absl::Hours(1));
}

INSTANTIATE_TEST_SUITE_P(Zmq, SharedContextTest,
                         testing::Values(TransportUnderTest{
                             "sharing", NewSharingTransport, FreshIpv4Address}),
                         TransportUnderTest::Name);

}  // namespace
}  // namespace cluster::internal
