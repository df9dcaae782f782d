// Servers over different backends on byte streams understand each other, in
// plaintext and secured, over tcp and ipc.

#include <memory>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/registry.h"
#include "cluster/transport/stream/testing/test_keys.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace streams {
namespace {

constexpr int kFrames = 300;

// Small ones that share a write, and some that need several.
std::string TextOf(const std::string& from, int i) {
  std::string text = absl::StrCat(from, i, ":");
  text.resize(text.size() + (i % 50 == 49 ? 300000 : i * 37 % 20000), 'x');
  return text;
}

class InteropTest : public testing::TestWithParam<std::tuple<bool, bool>> {
 protected:
  bool is_secured() const { return std::get<0>(GetParam()); }
  std::string FreshAddress() const {
    return std::get<1>(GetParam()) ? FreshIpcAddress() : "127.0.0.1:0";
  }

  std::unique_ptr<Node> StartNode(const std::string& backend, int id) {
    auto node = std::make_unique<Node>();
    const TransportConfig config =
        is_secured() ? keys_.ConfigOf(id) : TransportConfig();
    auto transport = (*FindTransport(backend))(config);
    EXPECT_TRUE(transport.ok()) << transport.status();
    node->transport = *std::move(transport);
    const absl::Status status =
        node->transport->Start(&node->handler, FreshAddress());
    EXPECT_TRUE(status.ok()) << status;
    return node;
  }

  const stream::TestKeys keys_{{1, 2}};
};

TEST_P(InteropTest, FramesArriveBothWays) {
  auto tcp = StartNode("tcp", 1);
  auto nng = StartNode("nng", 2);
  ASSERT_TRUE(tcp->Connect(2, nng->transport->Address()).ok());
  ASSERT_TRUE(nng->Connect(1, tcp->transport->Address()).ok());
  std::vector<std::string> of_tcp;
  std::vector<std::string> of_nng;
  for (int i = 0; i < kFrames; ++i) {
    of_tcp.push_back(TextOf("tcp", i));
    of_nng.push_back(TextOf("nng", i));
    ASSERT_TRUE(tcp->SendWaiting(2, of_tcp.back()));
    ASSERT_TRUE(nng->SendWaiting(1, of_nng.back()));
  }
  ASSERT_TRUE(nng->handler.WaitForFrames(kFrames));
  ASSERT_TRUE(tcp->handler.WaitForFrames(kFrames));
  EXPECT_TRUE(nng->handler.Texts() == of_tcp);  // too long to print
  EXPECT_TRUE(tcp->handler.Texts() == of_nng);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, InteropTest, testing::Combine(testing::Bool(), testing::Bool()),
    [](const testing::TestParamInfo<std::tuple<bool, bool>>& info) {
      return absl::StrCat(std::get<0>(info.param) ? "secured" : "plaintext",
                          std::get<1>(info.param) ? "_ipc" : "_tcp");
    });

TEST(InteropRefusalTest, SecuredAndPlaintextNameTheReason) {
  const stream::TestKeys keys({1, 2});
  for (const char* secured : {"tcp", "nng"}) {
    Node one;
    Node two;
    one.transport = *(*FindTransport(secured))(keys.ConfigOf(1));
    two.transport = *(*FindTransport(
        std::string(secured) == "tcp" ? "nng" : "tcp"))(TransportConfig());
    ASSERT_TRUE(one.transport->Start(&one.handler, "127.0.0.1:0").ok());
    ASSERT_TRUE(two.transport->Start(&two.handler, "127.0.0.1:0").ok());
    ASSERT_TRUE(two.Connect(1, one.transport->Address()).ok());
    EXPECT_TRUE(two.handler.WaitFor([](const Recorded& r) {
      return r.reason.find("it is secured and takes no plaintext") !=
             std::string::npos;
    }));
  }
}

}  // namespace
}  // namespace streams
}  // namespace cluster::internal
