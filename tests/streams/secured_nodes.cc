#include "tests/streams/secured_nodes.h"

#include <utility>

#include "gtest/gtest.h"
#include "tests/streams/backend.h"

namespace cluster::internal {
namespace streams {
std::unique_ptr<TestNode> StartSecured(const TransportConfig& config,
                                       const std::string& address) {
  auto node = std::make_unique<TestNode>();
  auto transport = NewBackend(config);
  EXPECT_TRUE(transport.ok()) << transport.status();
  if (!transport.ok()) return nullptr;
  node->transport = *std::move(transport);
  const absl::Status started = node->transport->Start(&node->handler, address);
  EXPECT_TRUE(started.ok()) << started;
  return started.ok() ? std::move(node) : nullptr;
}

void ConnectBoth(TestNode& one, int one_id, TestNode& two, int two_id) {
  EXPECT_TRUE(one.Connect(two_id, two.transport->Address()).ok());
  EXPECT_TRUE(two.Connect(one_id, one.transport->Address()).ok());
}

bool Delivers(TestNode& from, int peer, TestNode& to, const std::string& text) {
  return from.Send(peer, text) == SendResult::kSent &&
         to.handler.WaitFor(
             [&](const Recorded& r) { return r.HasFrame(text); });
}

}  // namespace streams
}  // namespace cluster::internal
