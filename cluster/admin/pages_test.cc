#include "cluster/admin/pages.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rapidjson/document.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

rapidjson::Document Parsed(const std::string& page) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseValidateEncodingFlag>(page.c_str());
  EXPECT_FALSE(document.HasParseError()) << page;
  return document;
}

Snapshot ThreeMembers() {
  Snapshot snapshot;
  snapshot.at = absl::FromUnixSeconds(1700000000);
  snapshot.id = 1;
  snapshot.address = "127.0.0.1:10001";
  snapshot.config.cluster = "demo";
  snapshot.config.servers = {{1, "127.0.0.1:10001"}, {2, "n2:1"}, {3, "n3:1"}};
  snapshot.peers = {2, 3};
  snapshot.stats.own.up = true;
  snapshot.stats.own.incarnation = ~std::uint64_t{0};
  snapshot.stats.peers.resize(3);
  snapshot.stats.peers[0].peer = 2;
  snapshot.stats.peers[0].up = true;
  snapshot.stats.peers[0].since = absl::FromUnixSeconds(1600000000);
  snapshot.stats.peers[0].rtt = absl::Milliseconds(2);
  snapshot.stats.peers[1].peer = 3;
  snapshot.stats.peers[1].last_trouble = "bad \x01\xff\"quoted\" text";
  snapshot.stats.peers[1]
      .refused[static_cast<std::size_t>(RefusalReason::kWrongCluster)] = 4;
  snapshot.stats.peers[2].peer = 9;  // removed
  return snapshot;
}

TEST(StatusPage, HasTheServerAndEachPeer) {
  const rapidjson::Document page = Parsed(StatusPage(ThreeMembers()));
  EXPECT_EQ(page["schema"].GetInt(), kStatusSchema);
  EXPECT_EQ(page["at"].GetDouble(), 1700000000);
  const rapidjson::Value& server = page["server"];
  EXPECT_STREQ(server["cluster"].GetString(), "demo");
  EXPECT_TRUE(server["ready"].GetBool());
  EXPECT_EQ(server["members_up"].GetInt(), 2);
  // A number would lose bits in a reader of doubles.
  EXPECT_STREQ(server["incarnation"].GetString(), "18446744073709551615");
  const rapidjson::Value& peers = page["peers"];
  ASSERT_EQ(peers.Size(), 3u);
  EXPECT_STREQ(peers[0]["state"].GetString(), "up");
  EXPECT_EQ(peers[0]["since"].GetDouble(), 1600000000);
  EXPECT_EQ(peers[0]["rtt_seconds"].GetDouble(), 0.002);
  EXPECT_TRUE(peers[0]["last_trouble_at"].IsNull());
  EXPECT_TRUE(peers[0]["counters"].HasMember("accepted"));
  EXPECT_TRUE(peers[0]["gauges"].HasMember("queued"));
  EXPECT_EQ(peers[1]["refused"]["wrong cluster"].GetInt(), 4);
  EXPECT_TRUE(peers[1]["member"].GetBool());
  EXPECT_FALSE(peers[2]["member"].GetBool());
}

TEST(StatusPage, TextsOfTheNetworkAreEscaped) {
  const rapidjson::Document page = Parsed(StatusPage(ThreeMembers()));
  EXPECT_STREQ(page["peers"][1]["last_trouble"].GetString(),
               "bad \\001\\377\\\"quoted\\\" text");
}

TEST(ConfigPage, HasWhatIsUsedAndNoPathOfASecret) {
  Snapshot snapshot = ThreeMembers();
  snapshot.config.heartbeat = absl::Milliseconds(250);
  snapshot.config.security.mode = SecurityConfig::Mode::kMutual;
  snapshot.config.security.identity = "/secret/place";
  snapshot.config.transport_options["zmq"].values["io_threads"] =
      std::int64_t{2};
  snapshot.config.transport_options["mine"].values["password"] =
      std::string("sesame");
  const std::string text = ConfigPage(snapshot);
  const rapidjson::Document page = Parsed(text);
  EXPECT_EQ(page["heartbeat_ms"].GetInt(), 250);
  EXPECT_EQ(page["servers"].Size(), 3u);
  EXPECT_STREQ(page["security"]["mode"].GetString(), "mutual");
  EXPECT_EQ(page["zmq"]["io_threads"].GetInt(), 2);
  EXPECT_THAT(text, Not(HasSubstr("/secret")));
  EXPECT_THAT(text, Not(HasSubstr("sesame")));
}

TEST(ReadyPage, AMajorityIsReady) {
  Snapshot snapshot = ThreeMembers();
  EXPECT_EQ(ReadyPage(snapshot),
            "ready: 2 of 3 members up\nserver 2: up\nserver 3: down\n");
  snapshot.stats.peers[0].up = false;
  EXPECT_EQ(ReadyPage(snapshot),
            "not ready: 1 of 3 members up\nserver 2: down\nserver 3: down\n");
  // A removed peer counts for nothing, and neither does a server that is stopped.
  snapshot.stats.peers[2].up = true;
  EXPECT_FALSE(snapshot.ready());
  snapshot.stats.peers[0].up = snapshot.stats.peers[1].up = true;
  EXPECT_TRUE(snapshot.ready());
  snapshot.stats.own.up = false;
  EXPECT_FALSE(snapshot.ready());
}

}  // namespace
}  // namespace cluster::internal
