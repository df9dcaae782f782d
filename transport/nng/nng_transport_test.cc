// The nng backend: the contract of all transports, and its threads.
// //tests/streams tests the rest, for all backends on byte streams.

#include "cluster/transport/nng/nng_transport.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/resolver/testing/fresh_name.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

TransportUnderTest Overlapping(const std::string& name,
                               std::function<std::string()> fresh_address) {
  TransportUnderTest nng{name, NewNngTransport, std::move(fresh_address)};
  nng.callbacks_overlap = true;
  return nng;
}

INSTANTIATE_TEST_SUITE_P(Nng, TransportContract,
                         testing::Values(Overlapping("ipv4", FreshIpv4Address),
                                         Overlapping("ipv6", FreshIpv6Address),
                                         Overlapping("ipc", FreshIpcAddress),
                                         Overlapping("name", FreshName)),
                         TransportUnderTest::Name);

// There are far more nodes than nng has threads.
TEST(NngTransportTest, BlockedHandlersOfManyTransportsHoldUpNoFrame) {
  constexpr int kNodes = 40;
  const auto new_node = [] {
    auto node = std::make_unique<Node>();
    node->transport = *NewNngTransport(TransportConfig());
    return node;
  };
  Gate gate;
  std::vector<std::unique_ptr<Node>> receivers;
  const auto sender = new_node();
  ASSERT_TRUE(sender->transport->Start(&sender->handler, "127.0.0.1:0").ok());
  for (int i = 0; i < kNodes; ++i) {
    auto node = new_node();
    node->handler.on_drained = [&gate] { gate.Wait(); };
    ASSERT_TRUE(
        node->transport->Start(&node->handler, FreshIpv4Address()).ok());
    ASSERT_TRUE(sender->Connect(i, node->transport->Address()).ok());
    receivers.push_back(std::move(node));
  }
  bool all = true;
  for (std::size_t round = 1; all && round <= 3; ++round) {
    for (int i = 0; i < kNodes; ++i) {
      EXPECT_EQ(sender->Send(i, "frame"), SendResult::kSent);
    }
    for (auto& receiver : receivers) {
      // The frames arrive, and OnDrained is called.
      all = all && receiver->handler.WaitFor([round](const Recorded& r) {
        return r.frame_count == round && r.drained_count > 0;
      });
    }
  }
  EXPECT_TRUE(all);
  gate.Open();
}

}  // namespace
}  // namespace cluster::internal
