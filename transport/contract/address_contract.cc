// Contract: addresses, and the errors of Start and Connect about them.

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "cluster/transport/contract/contract_suite.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

TEST_P(TransportContract, AddressIsEmptyBeforeStart) {
  auto node = NewNode(1);
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->transport->Address(), "");
}

TEST_P(TransportContract, PortZeroIsResolvedAndCanBeDialled) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  const std::string address = receiver->transport->Address();
  EXPECT_NE(address, "");
  EXPECT_FALSE(absl::EndsWith(address, ":0")) << address;
  EXPECT_NE(address, sender->transport->Address());

  ASSERT_TRUE(sender->Connect(2, address).ok());
  ASSERT_TRUE(sender->SendWaiting(2, "hello"));
  EXPECT_TRUE(receiver->handler.WaitForFrames(1));
}

TEST_P(TransportContract, AddressIsReadableAfterStop) {
  auto node = StartNode(1);
  ASSERT_NE(node, nullptr);
  const std::string address = node->transport->Address();
  node->transport->Stop(absl::ZeroDuration());
  EXPECT_EQ(node->transport->Address(), address);
}

TEST_P(TransportContract, AddressInUseIsAlreadyExists) {
  auto first = StartNode(1);
  auto second = NewNode(2);
  auto sender = StartNode(3);
  ASSERT_TRUE(first != nullptr && second != nullptr && sender != nullptr);
  const std::string address = first->transport->Address();
  const absl::Status status =
      second->transport->Start(&second->handler, address);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), address)) << status;

  // The first one still works.
  second.reset();
  ASSERT_TRUE(sender->Connect(1, address).ok());
  ASSERT_TRUE(sender->SendWaiting(1, "hello"));
  EXPECT_TRUE(first->handler.WaitForFrames(1));
}

TEST_P(TransportContract, AddressIsFreeAgainAfterStop) {
  auto first = StartNode(1);
  auto second = NewNode(2);
  ASSERT_TRUE(first != nullptr && second != nullptr);
  first->transport->Stop(absl::ZeroDuration());
  const std::string address = first->transport->Address();
  const absl::Status status =
      second->transport->Start(&second->handler, address);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(second->transport->Address(), address);
}

TEST_P(TransportContract, StartRefusesABadAddress) {
  for (const std::string& address : GetParam().bad_addresses) {
    auto node = NewNode(1);
    ASSERT_NE(node, nullptr);
    const absl::Status status = node->transport->Start(&node->handler, address);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument)
        << address << ": " << status;
    EXPECT_NE(status.message(), "");
  }
}

TEST_P(TransportContract, ConnectRefusesABadAddress) {
  auto node = StartNode(1);
  ASSERT_NE(node, nullptr);
  for (const std::string& address : GetParam().bad_addresses) {
    const absl::Status status = node->Connect(2, address);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument)
        << address << ": " << status;
    EXPECT_NE(status.message(), "");
  }
}

TEST_P(TransportContract, ConnectToABadAddressLeavesThePeerAsItWas) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  EXPECT_FALSE(sender->Connect(2, GetParam().bad_addresses.front()).ok());
  ASSERT_TRUE(sender->SendWaiting(2, "hello"));
  EXPECT_TRUE(receiver->handler.WaitForFrames(1));
}

}  // namespace
}  // namespace cluster
