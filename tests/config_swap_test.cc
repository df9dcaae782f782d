// Another transport is one word in the config file, and nothing else.

#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "tests/harness/seed.h"
#include "tests/scenarios/scenario.h"

namespace cluster {
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
  const std::string file = WriteFile(
      "nng.json", absl::StrReplaceAll(kText, {{"\"zmq\"", "\"nng\""}}));
  EXPECT_EQ(LoadConfig(file)->transport, "nng");
  CheckUnicastWith(file);
}

}  // namespace
}  // namespace cluster
