// One word in the config file is enough to change the transport.

#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "tests/harness/seed.h"
#include "tests/harness/transports.h"
#include "tests/scenarios/scenario.h"

namespace cluster::internal {
namespace {

constexpr char kText[] = R"({
  "cluster": "swap",
  "transport": "zmq",
  "codec": "binary",
  "servers": [
    {"id": 1, "address": "127.0.0.1:0"},
    {"id": 2, "address": "127.0.0.1:0"},
    {"id": 3, "address": "127.0.0.1:0"}
  ]
})";

std::string WriteFile(const std::string& name, const std::string& text) {
  const std::string path = absl::StrCat(ScratchFolder(), "/", name);
  std::ofstream file(path);
  file << text;
  EXPECT_TRUE(file.flush().good()) << path;
  return path;
}

void CheckUnicastWith(const std::string& file) {
  ClusterSpec spec;
  spec.ids = {1, 2, 3};
  spec.make_server = [&](int id, const Config&) { return NewServer(id, file); };
  Load load;
  load.seed = TestSeed();
  CheckScenario(Scenario::kUnicast, load, std::move(spec));
}

TEST(ConfigSwapTest, TheScenarioRunsAsTheFileStands) {
  const std::string file = WriteFile("zmq.json", kText);
  EXPECT_EQ(LoadConfig(file)->transport, "zmq");
  CheckUnicastWith(file);
}

TEST(ConfigSwapTest, AndWithOneWordChanged) {
  for (const std::string other : {"nng", "tcp"}) {
    const std::string file = WriteFile(
        other + ".json",
        absl::StrReplaceAll(kText, {{"\"zmq\"", "\"" + other + "\""}}));
    EXPECT_EQ(LoadConfig(file)->transport, other);
    CheckUnicastWith(file);
  }
}

class PathTest : public testing::TestWithParam<const char*> {};

// A socket's path may end in ":0", like a port that is not known yet.
TEST_P(PathTest, ThatEndsInAPortIsDialled) {
  Config config;
  config.transport = GetParam();
  for (int id = 1; id <= 2; ++id) {
    config.servers.push_back(
        {id, absl::StrCat(FreshAddress(AddressKind::kIpc), ":0")});
  }
  auto one = NewServer(1, config);
  auto two = NewServer(2, config);
  ASSERT_TRUE(one.ok() && two.ok());
  ASSERT_TRUE((*one)->Start().ok() && (*two)->Start().ok());
  EXPECT_EQ((*one)->Address(), config.servers[0].address);
  Envelope envelope;
  envelope.pid = 2;
  ASSERT_TRUE((*one)->Send(envelope).ok());
  EXPECT_TRUE((*two)->Receive(absl::Seconds(30)).ok());
  // The other way round, with a peer that is added.
  EXPECT_TRUE((*two)->RemovePeer(1).ok());
  ASSERT_TRUE((*two)->AddPeer(1, config.servers[0].address).ok());
  envelope.pid = 1;
  ASSERT_TRUE((*two)->Send(envelope).ok());
  EXPECT_TRUE((*one)->Receive(absl::Seconds(30)).ok());
}

INSTANTIATE_TEST_SUITE_P(Backends, PathTest, testing::ValuesIn(AllTransports()),
                         TransportName);

}  // namespace
}  // namespace cluster::internal
