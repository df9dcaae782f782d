// Every file of this folder loads. cluster/config/keys_test.cc compares
// all_keys.json with the keys.

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cluster/codec/registry.h"
#include "cluster/config.h"
#include "cluster/transport/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

constexpr char kFolder[] = "configs";  // tests start in the runfiles tree

std::map<std::string, std::string> Files() {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".json")
      files.emplace(entry.path().filename(), entry.path());
  }
  return files;
}

std::vector<std::string> WordsOf(const std::string& name) {
  std::ifstream stream(std::string(kFolder) + "/" + name);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

Config Loaded(const std::string& name) {
  absl::StatusOr<Config> config = LoadConfig(std::string(kFolder) + "/" + name);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *std::move(config) : Config();
}

TEST(ConfigsTest, EveryFileLoads) {
  const std::map<std::string, std::string> files = Files();
  for (const auto& [name, path] : files) {
    const absl::StatusOr<Config> config = LoadConfig(path);
    EXPECT_TRUE(config.ok()) << config.status();
  }
  for (const char* name :
       {"all_keys.json", "best_effort_json.json", "cluster.json",
        "cluster_nng.json", "cluster_tcp.json", "containers.json", "five.json",
        "go_library.json", "ipc.json", "ipv6.json", "json_codec.json",
        "memory.json", "secure.json"}) {
    EXPECT_EQ(files.count(name), 1u) << name;
  }
}

TEST(ConfigsTest, EveryTransportCodecAndBackendOptionIsKnown) {
  for (const auto& [name, path] : Files()) {
    const Config config = Loaded(name);
    EXPECT_TRUE(FindTransport(config.transport).ok()) << name;
    EXPECT_TRUE(FindCodec(config.codec).ok()) << name;
    for (const auto& [backend, options] : config.transport_options) {
      TransportConfig transport_config;
      transport_config.options = options;
      const auto factory = FindTransport(backend);
      ASSERT_TRUE(factory.ok()) << name << ": " << factory.status();
      EXPECT_EQ((*factory)(transport_config).status(), absl::OkStatus());
    }
  }
}

TEST(ConfigsTest, ASwapOfTheTransportIsOneWord) {
  const std::vector<std::string> zmq = WordsOf("cluster.json");
  for (const std::string other : {"nng", "tcp"}) {
    const std::vector<std::string> words =
        WordsOf("cluster_" + other + ".json");
    ASSERT_EQ(zmq.size(), words.size());
    std::vector<std::pair<std::string, std::string>> changed;
    for (std::size_t i = 0; i < zmq.size(); ++i)
      if (zmq[i] != words[i]) changed.emplace_back(zmq[i], words[i]);
    EXPECT_THAT(changed, ElementsAre(Pair("\"zmq\",", "\"" + other + "\",")));
  }
}

TEST(ConfigsTest, FilesShareNoAddress) {
  std::map<std::string, std::string> owners;
  for (const auto& [name, path] : Files()) {
    // They differ from another one in one word.
    if (name == "cluster_nng.json" || name == "cluster_tcp.json") continue;
    for (const ServerAddress& server : Loaded(name).servers) {
      const auto [owner, is_new] = owners.emplace(server.address, name);
      EXPECT_TRUE(is_new) << server.address << " of " << name << " is of "
                          << owner->second << " too";
    }
  }
}

TEST(ConfigsTest, TheSpecialFilesAreWhatTheirNamesSay) {
  EXPECT_EQ(Loaded("json_codec.json").codec, "json");
  EXPECT_EQ(Loaded("memory.json").transport, "memory");
  EXPECT_EQ(Loaded("five.json").servers.size(), 5u);
  EXPECT_EQ(Loaded("secure.json").security.mode, SecurityConfig::Mode::kMutual);
  EXPECT_EQ(Loaded("go_library.json").lines.count("Server"), 1u);
  EXPECT_EQ(Loaded("go_library.json").json_dialect, JsonDialect::kGo);
  EXPECT_EQ(Loaded("containers.json").servers[0].listening(), "0.0.0.0:10701");
  const Config best_effort = Loaded("best_effort_json.json");
  EXPECT_EQ(best_effort.delivery, Delivery::kBestEffort);
  EXPECT_EQ(best_effort.codec, "json");
  EXPECT_EQ(best_effort.transport, "zmq");
}

}  // namespace
}  // namespace cluster::internal
