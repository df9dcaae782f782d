// The declarations against configs/all_keys.json, docs/config.md and the list
// for people.

#include "cluster/config/keys.h"

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/transport_facts.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;

bool IsForm(const ConfigKey& key) {
  return std::holds_alternative<FormKey>(key.value);
}

std::string TextOf(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  EXPECT_TRUE(stream.good()) << file;
  return {std::istreambuf_iterator<char>(stream), {}};
}

// The table of docs/config.md.
std::string Table() {
  std::string table =
      "| key | value | default | live | meaning |\n"
      "|---|---|---|---|---|\n";
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string value = ValueIn(Config(), key);
    absl::StrAppend(&table, "| `", key.name, "` | ", AllowedOf(key), " | ",
                    value.empty() ? "" : absl::StrCat("`", value, "`"), " | ",
                    key.live ? "yes" : "no", " | ", key.help,
                    key.reliable_only ? "; reliable delivery only" : "",
                    " |\n");
  }
  for (const TransportFacts& facts : kTransports) {
    absl::StrAppend(&table, "| `", facts.name,
                    "` | object | | no | options of that transport; its header "
                    "lists them |\n");
  }
  return table;
}

TEST(ConfigKeysTest, EachKeyHasOneNameAndSaysWhatItIs) {
  std::set<std::string> names;
  for (const ConfigKey& key : ConfigKeys()) {
    EXPECT_TRUE(names.insert(key.name).second) << key.name;
    EXPECT_NE(std::string(key.help), "") << key.name;
    EXPECT_NE(AllowedOf(key), "") << key.name;
    EXPECT_EQ(FindConfigKey(key.name), &key);
    EXPECT_THAT(ListConfigKeys(),
                HasSubstr(absl::StrCat(key.name, ": ", AllowedOf(key))));
  }
  for (const TransportFacts& facts : kTransports)
    EXPECT_EQ(FindConfigKey(facts.name), nullptr);
}

TEST(ConfigKeysTest, TheReaderTakesEachDefaultAndRefusesOthers) {
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string name = key.name;
    if (IsForm(key) || absl::StrContains(name, '.')) continue;
    const auto with = [&](const std::string& value) {
      return ParseConfig(
          absl::StrCat(
              R"({"servers": [{"id": 1, "address": "localhost:1"}], ")", name,
              "\": ", value, "}"),
          "a.json");
    };
    const absl::StatusOr<Config> config = with(ValueIn(Config(), key));
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(ValueIn(*config, key), ValueIn(Config(), key));
    EXPECT_THAT(
        std::string(with("[]").status().message()),
        ::testing::StartsWith(absl::StrCat("a.json:1: $.", name, ": ")));
  }
}

// The name of a member of an object is no key of the top level.
TEST(ConfigKeysTest, MembersOfObjectsAreNoKeysOfTheTopLevel) {
  EXPECT_THAT(
      std::string(
          ParseConfig(R"({"servers": [{"id": 1, "address": "localhost:1"}],
                          "security.mode": "none"})")
              .status()
              .message()),
      HasSubstr("unknown key"));
}

TEST(ConfigKeysTest, AllKeysJsonHasEveryKeyWithItsDefault) {
  const absl::StatusOr<Config> config = LoadConfig("configs/all_keys.json");
  ASSERT_TRUE(config.ok()) << config.status();
  for (const std::string& name : KeyNamesIn("")) {
    if (name == "Server") continue;  // instead of "servers"
    EXPECT_EQ(config->lines.count(name), 1u)
        << "configs/all_keys.json lacks the key " << name;
  }
  for (const TransportFacts& facts : kTransports)
    EXPECT_EQ(config->lines.count(facts.name), 1u) << facts.name;
  for (const ConfigKey& key : ConfigKeys()) {
    EXPECT_EQ(ValueIn(*config, key), ValueIn(Config(), key))
        << "in configs/all_keys.json, " << key.name;
  }
}

TEST(ConfigKeysTest, TheDocumentHasTheTable) {
  EXPECT_TRUE(absl::StrContains(TextOf("docs/config.md"), Table()))
      << "The table in docs/config.md is not the one of "
         "cluster/config/keys.cc, "
         "which is:\n\n"
      << Table();
}

}  // namespace
}  // namespace cluster::internal
