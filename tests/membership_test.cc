// Who may become a member, over each backend.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

using ::testing::HasSubstr;

class MembershipTest : public testing::TestWithParam<const char*> {
 protected:
  // Of server 1, which listens where there is room, and 2, which is not there.
  static Config TwoServers() {
    static int clusters = 0;
    Config config;
    config.cluster = absl::StrCat("membership-test-", ++clusters);
    config.transport = GetParam();
    config.linger = absl::ZeroDuration();
    config.servers = {{1, "127.0.0.1:0"}, {2, "127.0.0.1:9"}};
    return config;
  }
  static std::unique_ptr<Server> Make(const Config& config) {
    absl::StatusOr<std::unique_ptr<Server>> server = NewServer(1, config);
    EXPECT_TRUE(server.ok()) << server.status();
    return *std::move(server);
  }
};

void ExpectRefused(Server* server, int id, const std::string& address,
                   const std::string& text) {
  const absl::Status status = server->AddPeer(id, address);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

TEST_P(MembershipTest, EveryAddressIsOneServers) {
  Config config = TwoServers();
  config.servers.push_back({4, "127.0.0.1:0"});  // not known yet
  std::unique_ptr<Server> server = Make(config);
  for (const bool started : {false, true}) {
    if (started) {
      ASSERT_TRUE(server->Start().ok());
      ExpectRefused(server.get(), 3, server->Address(),
                    "where this server listens");
      ExpectRefused(server.get(), 4, server->Address(),
                    "where this server listens");
    }
    ExpectRefused(server.get(), 3, "127.0.0.1:9", "the address of server 2");
    ExpectRefused(server.get(), 4, "127.0.0.1:9", "the address of server 2");
    ExpectRefused(server.get(), 3, "", "0 bytes");
    ExpectRefused(server.get(), 3, std::string(513, 'x'), "513 bytes");
  }
  EXPECT_EQ(server->Peers(), (std::vector<int>{2, 4}));
  ASSERT_TRUE(server->AddPeer(3, "127.0.0.1:10").ok());
  ExpectRefused(server.get(), 5, "127.0.0.1:10", "the address of server 3");
  ASSERT_TRUE(server->RemovePeer(3).ok());
  EXPECT_TRUE(server->AddPeer(5, "127.0.0.1:10").ok());
}

TEST_P(MembershipTest, TheConfiguredAddressIsTaken) {
  Config config = TwoServers();
  config.servers[0].address = "127.0.0.1:11";
  std::unique_ptr<Server> server = Make(config);
  ExpectRefused(server.get(), 3, "127.0.0.1:11", "the address of server 1");
}

INSTANTIATE_TEST_SUITE_P(Backends, MembershipTest,
                         testing::Values("zmq", "nng", "memory"),
                         [](const testing::TestParamInfo<const char*>& info) {
                           return std::string(info.param);
                         });

// One form per address, where the transport has it too.
TEST(MembershipAddressTest, OtherSpellingsAreTheSameAddress) {
  Config config;
  config.servers = {{1, "127.0.0.1:0"}, {2, "[::1]:9"}};
  auto server = NewServer(1, config);
  ASSERT_TRUE(server.ok()) << server.status();
  ExpectRefused(server->get(), 3, "[::1]:09", "the address of server 2");
}

}  // namespace
}  // namespace cluster
