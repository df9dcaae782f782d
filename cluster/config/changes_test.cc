#include "cluster/config/changes.h"

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "cluster/config/keys.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Strings = std::vector<std::string>;

Config Parsed(const std::string& more) {
  const absl::StatusOr<Config> config = ParseConfig(
      R"({"servers": [{"id": 1, "address": "a:1", "listen": "0.0.0.0:1"},
                      {"id": 2, "address": "b:2"},
                      {"id": 3, "address": "c:0"}],
          "allow_plaintext": true)" +
          more + "}",
      "a.json");
  EXPECT_TRUE(config.ok()) << config.status();
  return *config;
}

Strings Texts(const Config& before, const Config& after) {
  Strings texts;
  for (const ConfigChange& change : ChangesOf(before, after, 1))
    texts.push_back(ToString(change) + (change.live ? "" : " (not live)"));
  return texts;
}

TEST(ConfigChanges, AConfigThatIsTheSameHasNone) {
  EXPECT_THAT(Texts(Parsed(""), Parsed("")), IsEmpty());
}

TEST(ConfigChanges, ServersComeGoAndMove) {
  Config after = Parsed("");
  after.servers[1].address = "b:22";
  after.servers[1].listen = "0.0.0.0:22";  // concerns that server alone
  after.servers.erase(after.servers.begin() + 2);
  after.servers.push_back({4, "d:4"});
  EXPECT_THAT(Texts(Parsed(""), after),
              ElementsAre("server 2: b:2 -> b:22", "server 3: c:0 -> none",
                          "server 4: none -> d:4"));
}

TEST(ConfigChanges, AMemberWithPort0StaysWhereItIs) {
  Config before = Parsed("");
  before.servers[2].address = "c:33";  // by AddPeer
  EXPECT_THAT(Texts(before, Parsed("")), IsEmpty());
  EXPECT_EQ(MembersOf(before, Parsed(""))[2].address, "c:33");
  Config after = Parsed("");
  after.servers.push_back({4, "d:0"});
  EXPECT_THAT(Texts(before, after), ElementsAre("server 4: none -> d:0"));
}

TEST(ConfigChanges, TheOwnEntryIsNotLive) {
  Config after = Parsed("");
  after.servers[0].listen = "";
  EXPECT_THAT(Texts(Parsed(""), after),
              ElementsAre("server 1: a:1, listen 0.0.0.0:1 -> a:1 (not live)"));
  after.servers.erase(after.servers.begin());
  EXPECT_THAT(
      Texts(Parsed(""), after),
      ElementsAre("server 1: a:1, listen 0.0.0.0:1 -> none (not live)"));
}

// So no key can change without a word.
TEST(ConfigChanges, EachKeyOfOneValueIsSeen) {
  for (const ConfigKey& key : ConfigKeys()) {
    Config after = Parsed("");
    if (const auto* const text = std::get_if<TextKey>(&key.value)) {
      after.*text->field += "x";
    } else if (const auto* const size = std::get_if<SizeKey>(&key.value)) {
      after.*size->field += 1;
    } else if (const auto* const time = std::get_if<TimeKey>(&key.value)) {
      after.*time->field += absl::Milliseconds(1);
    } else if (const auto* const flag = std::get_if<FlagKey>(&key.value)) {
      after.*flag->field = !(after.*flag->field);
    } else if (const auto* const word = std::get_if<WordKey>(&key.value)) {
      word->set(word->words[word->get(after) == word->words[0].value].value,
                &after);
    } else {
      continue;
    }
    const Config before = Parsed("");
    const std::vector<ConfigChange> changes = ChangesOf(before, after, 1);
    ASSERT_EQ(changes.size(), 1u) << key.name;
    EXPECT_EQ(changes[0].key, key.name);
    EXPECT_EQ(changes[0].live, key.live) << key.name;
    EXPECT_EQ(CheckLive(changes, after).ok(), key.live) << key.name;
    Config running = before;
    CopyLiveKeys(after, &running);
    EXPECT_EQ(ChangesOf(running, after, 1).empty(), key.live) << key.name;
  }
}

TEST(ConfigChanges, KeyFilesAreLiveAndTransportsOptionsAreNot) {
  Config before = Parsed("");
  before.security.identity = "keys/{id}";
  before.security.peers = "keys/public";
  Config after = before;
  after.security.identity = "new/{id}";
  after.security.peers = "";
  after.security.peer_folders = {{2, "two"}};
  after.transport_options["zmq"].values["io_threads"] = std::int64_t{2};
  EXPECT_THAT(Texts(before, after),
              ElementsAre(R"(security.identity: "keys/{id}" -> "new/{id}")",
                          R"(security.peers: "keys/public" -> {"2": "two"})",
                          R"(zmq: {} -> {"io_threads": 2} (not live))"));
  CopyLiveKeys(after, &before);
  EXPECT_EQ(before.security.peer_folders, after.security.peer_folders);
  EXPECT_EQ(before.security.peers, "");
  EXPECT_EQ(before.security.identity, "new/{id}");
}

TEST(ConfigChanges, TheRefusalNamesEachKeyWithItsPlaceAndBothValues) {
  Config after = Parsed(R"(,
      "window_bytes": 4194304, "linger_ms": 5,
      "codec": "json")");
  after.servers[0].address = "z:1";
  const absl::Status status = CheckLive(ChangesOf(Parsed(""), after, 1), after);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  const std::string text(status.message());
  EXPECT_THAT(text, HasSubstr("a.json:5: $.window_bytes: found 4194304, and "
                              "the server runs with 8388608"));
  EXPECT_THAT(text, HasSubstr("a.json:6: $.codec: found \"json\", and the "
                              "server runs with \"binary\""));
  EXPECT_THAT(text, HasSubstr("a.json:1: $.servers, server 1: found z:1"));
  EXPECT_THAT(text, HasSubstr("nothing was changed"));
  EXPECT_THAT(text, Not(HasSubstr("linger_ms")));
}

}  // namespace
}  // namespace cluster::internal
