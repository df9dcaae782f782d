// ValidateConfig, for a Config that was made or changed by hand.

#include <string>

#include "absl/strings/str_cat.h"
#include "cluster/config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

Config Valid() {
  Config config;
  config.servers = {{1, "127.0.0.1:0"}, {2, "127.0.0.1:0"}};
  return config;
}

std::string ErrorOf(const Config& config) {
  const absl::Status status = ValidateConfig(config);
  if (status.ok()) return "no error";
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(ValidateConfigTest, DefaultsWithServersAreValid) {
  EXPECT_EQ(ErrorOf(Valid()), "no error");
  EXPECT_EQ(ErrorOf(Config()),
            "config: $.servers: found 0 servers, want 1 to 10000");
  Config config = Valid();
  config.delivery = Delivery::kBestEffort;
  EXPECT_EQ(ErrorOf(config), "no error");
}

TEST(ValidateConfigTest, UnknownNamesAreLeftToTheirRegistries) {
  Config config = Valid();
  config.transport = "zmp";
  config.codec = "xml";
  EXPECT_EQ(ErrorOf(config), "no error");
}

TEST(ValidateConfigTest, NamesHaveBoundedLengths) {
  Config config = Valid();
  config.cluster = "";
  EXPECT_EQ(ErrorOf(config),
            "config: $.cluster: found \"\" of 0 bytes, want 1 to 255 bytes");
  config = Valid();
  config.transport = std::string(65, 'x');
  EXPECT_EQ(ErrorOf(config), "config: $.transport: found \"" +
                                 std::string(65, 'x') +
                                 "\" of 65 bytes, want 1 to 64 bytes");
  config = Valid();
  config.codec = "";
  EXPECT_EQ(ErrorOf(config),
            "config: $.codec: found \"\" of 0 bytes, want 1 to 64 bytes");
}

TEST(ValidateConfigTest, ServersAreChecked) {
  Config config = Valid();
  config.servers[1].id = -1;
  EXPECT_EQ(ErrorOf(config),
            "config: $.servers[1].id: found -1, want an integer from 0 to "
            "2147483647");
  config = Valid();
  config.servers[1].id = 1;
  EXPECT_EQ(ErrorOf(config),
            "config: $.servers[1].id: found 1, the id of $.servers[0] too; "
            "want every id once");
  config = Valid();
  config.servers[0].address = "nowhere";
  EXPECT_EQ(ErrorOf(config),
            "config: $.servers[0].address: found \"nowhere\": there is no "
            "port; want \"host:port\", \"[v6]:port\" or \"ipc:///path\"");
  config.transport = "memory";
  EXPECT_EQ(ErrorOf(config), "no error");
  config = Valid();
  config.servers = {{1, "ipc:///tmp/a"}, {2, "ipc:///tmp/a"}};
  EXPECT_EQ(ErrorOf(config),
            "config: $.servers[1].address: found \"ipc:///tmp/a\", the address "
            "of $.servers[0] too; want every address once");
  config = Valid();
  config.servers.assign(10001, {1, "localhost:0"});
  EXPECT_EQ(ErrorOf(config),
            "config: $.servers: found 10001 servers, want 1 to 10000");
}

TEST(ValidateConfigTest, NumbersAreInTheirRange) {
  Config config = Valid();
  config.frame_bytes = 511;
  EXPECT_EQ(ErrorOf(config),
            "config: $.frame_bytes: found 511, want an integer from 512 to "
            "4194304");
  config = Valid();
  config.payload_bytes_max = static_cast<std::size_t>(-1);
  EXPECT_EQ(ErrorOf(config),
            "config: $.payload_bytes_max: found 18446744073709551615, want an "
            "integer from 1 to 1073741824");
  config = Valid();
  config.linger = absl::InfiniteDuration();
  EXPECT_EQ(ErrorOf(config),
            "config: $.linger_ms: found inf ms, want 0 ms to 600000 ms");
  config = Valid();
  config.heartbeat = -absl::Seconds(1);
  EXPECT_EQ(ErrorOf(config),
            "config: $.heartbeat_ms: found -1000 ms, want 10 ms to 600000 ms");
}

TEST(ValidateConfigTest, NumbersGoTogether) {
  Config config = Valid();
  config.inflight_bytes = 1024;
  EXPECT_EQ(ErrorOf(config),
            "config: $.inflight_bytes: found 1024, want at least frame_bytes, "
            "65536");
  config = Valid();
  config.peer_timeout = absl::Milliseconds(900);
  EXPECT_EQ(ErrorOf(config),
            "config: $.peer_timeout_ms: found 900 ms, want at least twice "
            "heartbeat_ms, 4000 ms");
}

TEST(ValidateConfigTest, BestEffortLeavesTheReliableFieldsAlone) {
  const std::string rest =
      ": found with \"delivery\": \"best_effort\", want it with \"reliable\" "
      "only, which alone has it";
  Config config = Valid();
  config.delivery = Delivery::kBestEffort;
  config.window_bytes = 1 << 20;
  EXPECT_EQ(ErrorOf(config), "config: $.window_bytes" + rest);
  config = Valid();
  config.delivery = Delivery::kBestEffort;
  config.heartbeat = absl::Seconds(1);
  EXPECT_EQ(ErrorOf(config), "config: $.heartbeat_ms" + rest);
  config = Valid();
  config.delivery = Delivery::kBestEffort;
  config.overflow = Overflow::kDropOldest;
  EXPECT_EQ(ErrorOf(config), "config: $.overflow" + rest);
  config = Valid();
  config.delivery = Delivery::kBestEffort;
  config.on_peer_restart = OnPeerRestart::kDrop;
  EXPECT_EQ(ErrorOf(config), "config: $.on_peer_restart" + rest);
}

TEST(ValidateConfigTest, AReadConfigThatWasChangedNamesItsFile) {
  absl::StatusOr<Config> config = ParseConfig(
      "{\"Server\": [{\"Server_Id\": 1, \"Port_Num\": 1}],\n\"linger_ms\": 5}",
      "a.json");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(ErrorOf(*config), "no error");
  config->linger = absl::Hours(1);
  EXPECT_EQ(ErrorOf(*config),
            "a.json:2: $.linger_ms: found 3600000 ms, want 0 ms to 600000 ms");
  config->lines.erase("linger_ms");
  EXPECT_EQ(ErrorOf(*config),
            "a.json: $.linger_ms: found 3600000 ms, want 0 ms to 600000 ms");
  config->linger = absl::Seconds(1);
  config->servers.push_back(config->servers.front());
  EXPECT_EQ(ErrorOf(*config),
            "a.json: $.Server[1].Server_Id: found 1, the id of $.Server[0] "
            "too; want every id once");
}

std::string ListenerError(const std::string& listen,
                          const std::string& transport = "zmq") {
  Config config = Valid();
  config.transport = transport;
  config.servers[1].listen = listen;
  const absl::Status status = ValidateConfig(config);
  if (status.ok()) return "no error";
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  return std::string(status.message());
}

TEST(ValidateConfigTest, PlaintextStaysOnThisMachine) {
  for (const char* address : {"127.0.0.1:1", "127.255.255.254:1", "[::1]:1",
                              "localhost:1", "ipc:///tmp/x"}) {
    EXPECT_EQ(ListenerError(address), "no error") << address;
  }
  for (const char* address :
       {"*:1", "0.0.0.0:1", "[::]:1", "10.0.0.1:1", "128.0.0.1:1",
        "126.255.255.255:1", "[::2]:1", "[::ffff:127.0.0.1]:1", "[fe80::1]:1",
        "db1.example.com:1", "localhost.example.com:1",
        "127.0.0.1.example.com:1", "127.1:1"}) {
    EXPECT_NE(ListenerError(address), "no error") << address;
    EXPECT_NE(ListenerError(address, "nng"), "no error") << address;
    EXPECT_NE(ListenerError(address, "tcp"), "no error") << address;
  }
  EXPECT_EQ(
      ListenerError("*:1"),
      "config: $.servers[1].listen: found \"*:1\", which other machines can "
      "reach, and no security; want \"security\": {\"mode\": \"mutual\", "
      "...} with keys that bazel run @cluster//tools:keygen makes, or "
      "\"allow_plaintext\": true where the network is trusted");
  Config config = Valid();
  config.servers[1].address = "10.0.0.1:1";
  EXPECT_THAT(std::string(ValidateConfig(config).message()),
              ::testing::StartsWith("config: $.servers[1].address: found "));
  // This concerns only transports that leave the process. A stranger's may have
  // addresses of its own form.
  config.servers[1].address = "*:1";
  config.transport = "memory";
  EXPECT_EQ(ErrorOf(config), "no error");
  EXPECT_EQ(ListenerError("pigeon-7", "pigeon"), "no error");
  EXPECT_NE(ListenerError("10.0.0.1:1", "pigeon"), "no error");
}

TEST(ValidateConfigTest, EveryInterfaceIsToListenOnNotToDial) {
  Config config = Valid();
  config.allow_plaintext = true;
  for (const char* address : {"*:1", "0.0.0.0:1", "[::]:1"}) {
    config.servers[1].address = address;
    EXPECT_EQ(ErrorOf(config),
              absl::StrCat(
                  "config: $.servers[1].address: found \"", address,
                  "\": every interface, which nobody can dial; want the host "
                  "that the other servers reach this one at (and in its config "
                  "\"listen\": \"",
                  address, "\")"));
  }
  // AddPeer tells the others; and there may be no others.
  config.servers[1].address = "*:0";
  EXPECT_EQ(ErrorOf(config), "no error");
  config.servers[1].address = "db1:1";
  config.servers[1].listen = "*:1";
  EXPECT_EQ(ErrorOf(config), "no error");
  config.servers = {{1, "*:1"}};
  EXPECT_EQ(ErrorOf(config), "no error");
}

TEST(ValidateConfigTest, ListenHasTheFormOfAnAddress) {
  Config config = Valid();
  config.servers[1].listen = "here";
  EXPECT_EQ(ErrorOf(config),
            "config: $.servers[1].listen: found \"here\": there is no port; "
            "want \"host:port\", \"[v6]:port\" or \"ipc:///path\"");
  config.transport = "pigeon";
  EXPECT_EQ(ErrorOf(config), "no error");
  config.transport = "memory";
  EXPECT_EQ(ErrorOf(config),
            "config: $.servers[1].listen: found with \"transport\": "
            "\"memory\", where the address is a name, want it with nng, "
            "tcp or zmq");
}

Config Secured() {
  Config config = Valid();
  config.security.mode = SecurityConfig::Mode::kMutual;
  config.security.identity = "keys/{id}";
  config.security.peers = "keys/public";
  return config;
}

TEST(ValidateConfigTest, SecurityOrAWordOpensListeners) {
  Config config = Secured();
  config.servers[1].address = "10.0.0.1:1";
  EXPECT_EQ(ErrorOf(config), "no error");
  config = Valid();
  config.servers[1].address = "10.0.0.1:1";
  config.allow_plaintext = true;
  EXPECT_EQ(ErrorOf(config), "no error");
}

TEST(ValidateConfigTest, SecurityIsWholeOrNotThere) {
  Config config = Secured();
  config.security.identity.clear();
  EXPECT_EQ(ErrorOf(config),
            "config: $.security: found no \"identity\", want the folder of the "
            "own key files, such as \"keys/{id}\"");
  const std::string no_peers =
      "config: $.security: found no \"peers\", want the folder of the peers' "
      "public files, such as \"keys/public\", or a map from ids to folders";
  config = Secured();
  config.security.peers.clear();
  EXPECT_EQ(ErrorOf(config), no_peers);
  config.security.peer_folders[2] = "keys/public/2";
  EXPECT_EQ(ErrorOf(config), "no error");
  config = Secured();
  config.security.mode = SecurityConfig::Mode::kNone;
  EXPECT_EQ(ErrorOf(config),
            "config: $.security: found key files with \"mode\": \"none\", want "
            "\"mode\": \"mutual\"");
  config = Valid();
  config.security.reload = SecurityConfig::Reload::kOnChange;
  EXPECT_EQ(
      ErrorOf(config),
      "config: $.security: found \"reload\": \"on_change\" with \"mode\": "
      "\"none\", want \"mode\": \"mutual\"");
  config = Secured();
  config.allow_plaintext = true;
  EXPECT_EQ(ErrorOf(config),
            "config: $.allow_plaintext: found true together with \"security\", "
            "want one of the two");
  config = Secured();
  config.transport = "memory";
  EXPECT_EQ(ErrorOf(config),
            "config: $.security: found with \"transport\": \"memory\", which "
            "has no security, want it with nng, tcp or zmq");
}

TEST(ValidateConfigTest, EnumsHoldOneOfTheirValues) {
  Config config = Valid();
  config.delivery = static_cast<Delivery>(2);
  EXPECT_EQ(ErrorOf(config),
            "config: $.delivery: found the value 2, want \"reliable\" or "
            "\"best_effort\"");
  config = Valid();
  config.overflow = static_cast<Overflow>(-1);
  EXPECT_EQ(ErrorOf(config),
            "config: $.overflow: found the value -1, want \"reject\" or "
            "\"drop_oldest\"");
  config = Valid();
  config.on_peer_restart = static_cast<OnPeerRestart>(7);
  EXPECT_EQ(ErrorOf(config),
            "config: $.on_peer_restart: found the value 7, want \"resend\" or "
            "\"drop\"");
  config = Valid();
  config.security.mode = static_cast<SecurityConfig::Mode>(2);
  EXPECT_EQ(ErrorOf(config),
            "config: $.security.mode: found the value 2, want \"mutual\" or "
            "\"none\"");
}

TEST(ValidateConfigTest, PeersWithKeysHavePossibleIds) {
  Config config = Secured();
  config.security.peers.clear();
  config.security.peer_folders[-1] = "keys/public/1";
  EXPECT_EQ(ErrorOf(config),
            "config: $.security: found \"peers\" with id -1, want 0 to "
            "2147483647");
}

}  // namespace
}  // namespace cluster::internal
