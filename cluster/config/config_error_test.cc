// The errors of ParseConfig, word for word: they are what a user meets first.

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster/config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string ErrorOf(absl::string_view text) {
  const absl::StatusOr<Config> config = ParseConfig(text, "a.json");
  if (config.ok()) return "no error";
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(config.status().message());
}

// The error of a file whose third line is `line`, beside a valid list.
std::string ErrorOfLine(absl::string_view line) {
  return ErrorOf(absl::StrCat(
      "{\n  \"servers\": [{\"id\": 1, \"address\": \"localhost:1\"}],\n  ",
      line, "\n}"));
}

// The error of a list of servers, one in each line from the third.
std::string ErrorOfServers(const std::vector<std::string>& servers,
                           absl::string_view transport = "zmq") {
  return ErrorOf(absl::StrCat("{\"transport\": \"", transport,
                              "\", \"servers\":\n[\n",
                              absl::StrJoin(servers, ",\n"), "]}"));
}

TEST(ConfigErrorTest, SyntaxErrorsKeepLineAndColumn) {
  EXPECT_EQ(ErrorOfLine("\"codec\" \"json\""),
            "a.json:3:11: found a double quote, want \":\" after the key");
  EXPECT_EQ(ErrorOf(""), "a.json:1:1: the text is empty; want an object");
}

TEST(ConfigErrorTest, TheRootIsAnObject) {
  EXPECT_EQ(ErrorOf("\n[]"), "a.json:2: $: found an array, want an object");
  EXPECT_EQ(ErrorOf("{}"),
            "a.json:1: $: found no \"servers\", want a list such as "
            "[{\"id\": 1, \"address\": \"127.0.0.1:10001\"}]");
}

TEST(ConfigErrorTest, UnknownKeysNameTheNearestAndTheKnown) {
  EXPECT_EQ(
      ErrorOfLine("\"transprot\": \"nng\""),
      "a.json:3: $.transprot: unknown key; did you mean \"transport\"?; "
      "known: cluster, transport, codec, json_dialect, delivery, servers, "
      "Server, "
      "frame_bytes, inflight_bytes, window_bytes, queue_bytes_max, "
      "answer_bytes_reserved, "
      "payload_bytes_max, memory_bytes_max, inbox_bytes_max, overflow, "
      "on_peer_restart, heartbeat_ms, peer_timeout_ms, "
      "handshake_timeout_ms, application_timeout_ms, linger_ms, "
      "slow_handler_ms, security, "
      "admin, allow_plaintext, "
      "memory, nng, tcp, zmq");
  EXPECT_THAT(ErrorOfLine("\"Servers\": []"),
              HasSubstr("did you mean \"servers\"?"));
  EXPECT_THAT(ErrorOfLine("\"quic\": {}"),
              HasSubstr("a.json:3: $.quic: unknown key; known: cluster"));
  EXPECT_THAT(
      ErrorOfLine(absl::StrCat("\"", std::string(1 << 20, 'x'), "\": {}")),
      HasSubstr("x...\"]: unknown key; known: cluster"));
  EXPECT_EQ(ErrorOfServers({"{\"id\": 1,\n\"adress\": \"localhost:1\"}"}),
            "a.json:4: $.servers[0].adress: unknown key; did you mean "
            "\"address\"?; known: id, address, listen, admin");
  for (const char* key : {"addr", "Address", "host", "Port", "endpoint"}) {
    EXPECT_THAT(ErrorOfServers({absl::StrCat("{\"", key, "\": \"h:1\"}")}),
                HasSubstr("did you mean \"address\"?"))
        << key;
  }
  EXPECT_THAT(ErrorOfServers({"{\"server_id\": 1}"}),
              HasSubstr("did you mean \"id\"?"));
  EXPECT_THAT(ErrorOfServers({"{\"bind\": \"*:1\"}"}),
              HasSubstr("did you mean \"listen\"?"));
  EXPECT_THAT(ErrorOfLine("\"nodes\": []"),
              HasSubstr("did you mean \"servers\"?"));
  EXPECT_THAT(ErrorOfLine("\"heartbeat\": 100"),
              HasSubstr("did you mean \"heartbeat_ms\"?"));
  EXPECT_THAT(ErrorOf("{\"Server\": [{\"Server_Id\": 1, \"Port\": 1}]}"),
              HasSubstr("did you mean \"Port_Num\"?"));
}

TEST(ConfigErrorTest, RepeatedKeysNameBothLines) {
  EXPECT_EQ(ErrorOfLine("\"codec\": \"json\",\n\"codec\": \"json\""),
            "a.json:4: $.codec: found the key twice, first in line 3, want it "
            "once");
  EXPECT_EQ(
      ErrorOfServers({"{\"id\": 1, \"address\": \"localhost:1\",\n\"id\": 1}"}),
      "a.json:4: $.servers[0].id: found the key twice, first in line 3, "
      "want it once");
  EXPECT_EQ(ErrorOfLine("\"zmq\": {\"a\": 1,\n \"a\": 2}"),
            "a.json:4: $.zmq.a: found the key twice, first in line 3, want it "
            "once");
}

TEST(ConfigErrorTest, WrongTypesSayWhatWasFound) {
  EXPECT_EQ(ErrorOfLine("\"codec\": 7"),
            "a.json:3: $.codec: found 7, want a string");
  EXPECT_EQ(ErrorOfLine("\"cluster\": null"),
            "a.json:3: $.cluster: found null, want a string");
  EXPECT_EQ(ErrorOfLine("\"transport\": {}"),
            "a.json:3: $.transport: found an object, want a string");
  EXPECT_EQ(ErrorOfLine("\"delivery\": \"exactly_once\""),
            "a.json:3: $.delivery: found \"exactly_once\", want \"reliable\" "
            "or \"best_effort\"");
  EXPECT_EQ(ErrorOfLine("\"overflow\": true"),
            "a.json:3: $.overflow: found true, want \"reject\" or "
            "\"drop_oldest\"");
  EXPECT_EQ(ErrorOfLine("\"on_peer_restart\": \"Resend\""),
            "a.json:3: $.on_peer_restart: found \"Resend\", want \"resend\" or "
            "\"drop\"");
  EXPECT_EQ(ErrorOfLine("\"zmq\": true"),
            "a.json:3: $.zmq: found true, want an object");
  EXPECT_EQ(ErrorOf("{\"servers\": {}}"),
            "a.json:1: $.servers: found an object, want an array");
  EXPECT_EQ(ErrorOfServers({"7"}),
            "a.json:3: $.servers[0]: found 7, want an object");
  EXPECT_EQ(ErrorOfServers({"{\"id\": \"1\", \"address\": \"localhost:1\"}"}),
            "a.json:3: $.servers[0].id: found \"1\", want an integer from 0 to "
            "2147483647");
  EXPECT_EQ(ErrorOfServers({"{\"id\": 1, \"address\": 10001}"}),
            "a.json:3: $.servers[0].address: found 10001, want a string");
}

TEST(ConfigErrorTest, NamesHaveBoundedLengths) {
  EXPECT_EQ(ErrorOfLine("\"cluster\": \"\""),
            "a.json:3: $.cluster: found \"\" of 0 bytes, want 1 to 255 bytes");
  EXPECT_EQ(
      ErrorOfLine(absl::StrCat("\"cluster\": \"", std::string(256, 'x'), "\"")),
      absl::StrCat("a.json:3: $.cluster: found \"", std::string(80, 'x'),
                   "...\" of 256 bytes, want 1 to 255 bytes"));
  EXPECT_EQ(
      ErrorOfLine(absl::StrCat("\"cluster\": \"", std::string(255, 'x'), "\"")),
      "no error");
  EXPECT_EQ(ErrorOfLine("\"transport\": \"\""),
            "a.json:3: $.transport: found \"\" of 0 bytes, want 1 to 64 bytes");
  EXPECT_EQ(ErrorOfLine("\"codec\": \"\""),
            "a.json:3: $.codec: found \"\" of 0 bytes, want 1 to 64 bytes");
  EXPECT_THAT(
      ErrorOfLine(absl::StrCat("\"codec\": \"", std::string(5000, 'x'), "\"")),
      HasSubstr("x...\", want a string of at most 4096 bytes"));
  EXPECT_THAT(ErrorOfServers({absl::StrCat("{\"id\": 1, \"address\": \"",
                                           std::string(513, 'x'), "\"}")},
                             "memory"),
              HasSubstr("x...\" of 513 bytes, want 1 to 512 bytes"));
}

TEST(ConfigErrorTest, NumbersAreIntegersInTheirRange) {
  for (const char* found : {"511", "4194305", "-1", "0", "1024.5", "1e4",
                            "99999999999999999999", "\"1024\"", "true"}) {
    EXPECT_EQ(ErrorOfLine(absl::StrCat("\"frame_bytes\": ", found)),
              absl::StrCat("a.json:3: $.frame_bytes: found ", found,
                           ", want an integer from 512 to 4194304"));
  }
  EXPECT_EQ(ErrorOfLine("\"heartbeat_ms\": 9"),
            "a.json:3: $.heartbeat_ms: found 9, want an integer from 10 to "
            "600000");
  EXPECT_EQ(ErrorOfLine("\"linger_ms\": -1"),
            "a.json:3: $.linger_ms: found -1, want an integer from 0 to "
            "600000");
}

TEST(ConfigErrorTest, EveryNumberHasARange) {
  for (const char* key :
       {"frame_bytes", "inflight_bytes", "window_bytes", "queue_bytes_max",
        "payload_bytes_max", "memory_bytes_max", "inbox_bytes_max",
        "heartbeat_ms", "peer_timeout_ms", "handshake_timeout_ms",
        "linger_ms"}) {
    for (const char* found : {"-1", "18446744073709551615"}) {
      EXPECT_THAT(ErrorOfLine(absl::StrCat("\"", key, "\": ", found)),
                  HasSubstr(absl::StrCat("a.json:3: $.", key, ": found ", found,
                                         ", want an integer from ")));
    }
  }
}

TEST(ConfigErrorTest, NumbersThatDoNotGoTogether) {
  EXPECT_EQ(ErrorOfLine("\"frame_bytes\": 2048, \"inflight_bytes\": 1024"),
            "a.json:3: $.inflight_bytes: found 1024, want at least "
            "frame_bytes, 2048");
  EXPECT_EQ(ErrorOfLine("\"window_bytes\": 1024"),
            "a.json:3: $.window_bytes: found 1024, want at least frame_bytes, "
            "65536");
  EXPECT_EQ(ErrorOfLine("\"queue_bytes_max\": 1024"),
            "a.json:3: $.queue_bytes_max: found 1024, want at least "
            "frame_bytes, 65536");
  EXPECT_EQ(ErrorOfLine("\"memory_bytes_max\": 626378066"),
            "a.json:3: $.memory_bytes_max: found 626378066, want at least "
            "626378067 for payloads of payload_bytes_max, 67108864");
  EXPECT_EQ(ErrorOfLine("\"memory_bytes_max\": 626378067"), "no error");
  EXPECT_EQ(ErrorOfLine("\"payload_bytes_max\": 200000000"),
            "a.json:3: $.payload_bytes_max: needs memory_bytes_max too: found "
            "1073741824, its default, want at least 1866695334 for payloads of "
            "payload_bytes_max, 200000000");
  EXPECT_EQ(ErrorOfLine("\"frame_bytes\": 4194304"), "no error");
  EXPECT_EQ(ErrorOfLine("\"heartbeat_ms\": 500,\n\"peer_timeout_ms\": 999"),
            "a.json:4: $.peer_timeout_ms: found 999 ms, want at least twice "
            "heartbeat_ms, 1000 ms");
  EXPECT_EQ(ErrorOfLine("\"heartbeat_ms\": 500,\n\"peer_timeout_ms\": 1000"),
            "no error");
  EXPECT_EQ(
      ErrorOfLine("\"heartbeat_ms\": 2501"),
      "a.json:3: $.heartbeat_ms: needs peer_timeout_ms too: found 5000 ms, "
      "its default, want at least twice heartbeat_ms, 5002 ms");
}

TEST(ConfigErrorTest, BestEffortRefusesTheKeysOfTheReliableDelivery) {
  for (const char* member :
       {"\"frame_bytes\": 65536", "\"inflight_bytes\": 1000000",
        "\"window_bytes\": 1000000", "\"queue_bytes_max\": 1000000",
        "\"overflow\": \"reject\"", "\"on_peer_restart\": \"resend\"",
        "\"heartbeat_ms\": 500", "\"peer_timeout_ms\": 6000"}) {
    EXPECT_EQ(ErrorOfLine(member), "no error");
    const std::string key =
        std::string(member).substr(1, std::string(member).find('"', 1) - 1);
    EXPECT_EQ(
        ErrorOfLine(absl::StrCat(member, ",\n\"delivery\": \"best_effort\"")),
        absl::StrCat("a.json:3: $.", key,
                     ": found with \"delivery\": \"best_effort\", want it with "
                     "\"reliable\" only, which alone has it"));
  }
}

TEST(ConfigErrorTest, ServersAreOneToTenThousand) {
  EXPECT_EQ(ErrorOf("{\"servers\": []}"),
            "a.json:1: $.servers: found 0 servers, want 1 to 10000");
  EXPECT_EQ(ErrorOf("{\"Server\": []}"),
            "a.json:1: $.Server: found 0 servers, want 1 to 10000");
  std::vector<std::string> servers;
  for (int id = 0; id < 10000; ++id)
    servers.push_back(
        absl::StrCat("{\"id\":", id, ",\"address\":\"localhost:0\"}"));
  EXPECT_EQ(ErrorOfServers(servers), "no error");
  servers.push_back("{\"id\": 10000, \"address\": \"localhost:0\"}");
  EXPECT_EQ(ErrorOfServers(servers),
            "a.json:1: $.servers: found 10001 servers, want 1 to 10000");
}

TEST(ConfigErrorTest, IdsAreInRangeAndUnique) {
  for (const char* found : {"-1", "2147483648", "1.5"}) {
    EXPECT_EQ(ErrorOfServers({absl::StrCat("{\"id\": ", found,
                                           ", \"address\": \"localhost:1\"}")}),
              absl::StrCat("a.json:3: $.servers[0].id: found ", found,
                           ", want an integer from 0 to 2147483647"));
  }
  EXPECT_EQ(ErrorOfServers({"{\"id\": 7, \"address\": \"localhost:1\"}",
                            "{\"id\": 8, \"address\": \"localhost:2\"}",
                            "{\"id\": 7, \"address\": \"localhost:3\"}"}),
            "a.json:5: $.servers[2].id: found 7, the id of $.servers[0] too; "
            "want every id once");
}

TEST(ConfigErrorTest, ServersHaveBothKeys) {
  EXPECT_EQ(ErrorOfServers({"{\"id\": 1}"}),
            "a.json:3: $.servers[0]: found no \"address\", want \"id\" and "
            "\"address\"");
  EXPECT_EQ(ErrorOfServers({"{\"address\": \"localhost:1\"}"}),
            "a.json:3: $.servers[0]: found no \"id\", want \"id\" and "
            "\"address\"");
  EXPECT_EQ(ErrorOfServers({"{}"}),
            "a.json:3: $.servers[0]: found no \"id\", want \"id\" and "
            "\"address\"");
}

TEST(ConfigErrorTest, AddressesParseWhereTheirFormIsKnown) {
  for (const char* transport : {"zmq", "nng", "tcp"}) {
    EXPECT_EQ(
        ErrorOfServers({"{\"id\": 1, \"address\": \"localhost:1\"}",
                        "{\"id\": 2,\n \"address\": \"127.0.0.1:99999\"}"},
                       transport),
        "a.json:5: $.servers[1].address: found \"127.0.0.1:99999\": the port "
        "is not a number from 0 to 65535; want \"host:port\", \"[v6]:port\" or "
        "\"ipc:///path\"");
  }
  EXPECT_EQ(ErrorOfServers({"{\"id\": 1, \"address\": \"\"}"}, "memory"),
            "a.json:3: $.servers[0].address: found \"\" of 0 bytes, want 1 to "
            "512 bytes");
}

TEST(ConfigErrorTest, AddressesAreUnique) {
  EXPECT_EQ(
      ErrorOfServers({"{\"id\": 1, \"address\": \"localhost:80\"}",
                      "{\"id\": 2, \"address\": \"localhost:080\"}"}),
      "a.json:4: $.servers[1].address: found \"localhost:080\", the address of "
      "$.servers[0] too; want every address once");
  const std::pair<const char*, const char*> kSame[] = {
      {"127.0.0.1:80", "localhost:80"},
      {"db1.example:80", "DB1.example.:80"},
      {"[::1]:80", "[0:0:0:0:0:0:0:1]:80"},
      {"[2001:db8::A]:80", "[2001:DB8:0::a]:80"},
      {"127.0.0.1:80", "[::ffff:127.0.0.1]:80"},
      {"ipc:///tmp/a", "ipc:///tmp//x/../a"},
  };
  for (const auto& [first, second] : kSame) {
    EXPECT_THAT(
        ErrorOfServers(
            {absl::StrCat("{\"id\": 1, \"address\": \"", first, "\"}"),
             absl::StrCat("{\"id\": 2, \"address\": \"", second, "\"}")}),
        HasSubstr("the address of $.servers[0] too"))
        << second;
  }
  for (const char* other : {"127.0.0.2:80", "[::1]:80", "localhost:81"}) {
    EXPECT_EQ(ErrorOfServers(
                  {"{\"id\": 1, \"address\": \"127.0.0.1:80\"}",
                   absl::StrCat("{\"id\": 2, \"address\": \"", other, "\"}")}),
              "no error");
  }
  for (const char* transport : {"memory", "quic"}) {
    EXPECT_EQ(ErrorOfServers({"{\"id\": 1, \"address\": \"left\"}",
                              "{\"id\": 2, \"address\": \"left\"}"},
                             transport),
              "a.json:4: $.servers[1].address: found \"left\", the address of "
              "$.servers[0] too; want every address once");
  }
}

TEST(ConfigErrorTest, BackendObjectsAreFlat) {
  EXPECT_EQ(ErrorOfLine("\"zmq\": {\"a\": []}"),
            "a.json:3: $.zmq.a: found an array, want a boolean, a number or a "
            "string");
  EXPECT_EQ(ErrorOfLine("\"nng\": {\"a\": 1,\n\"b\": null}"),
            "a.json:4: $.nng.b: found null, want a boolean, a number or a "
            "string");
  EXPECT_EQ(ErrorOfLine("\"memory\": {\"a\": 9223372036854775808}"),
            "a.json:3: $.memory.a: found 9223372036854775808, want an integer "
            "of at most 9223372036854775807");
}

TEST(ConfigErrorTest, TheSeedsFormIsCheckedAsStrictly) {
  EXPECT_EQ(ErrorOf("{\"Server\": [{\"Server_Id\": 1, \"Port_Num\": 65536}]}"),
            "a.json:1: $.Server[0].Port_Num: found 65536, want an integer from "
            "0 to 65535");
  EXPECT_EQ(ErrorOf("{\"Server\": [{\"Server_Id\": 1,\n\"port_num\": 1}]}"),
            "a.json:2: $.Server[0].port_num: unknown key; did you mean "
            "\"Port_Num\"?; known: Server_Id, Port_Num");
  EXPECT_EQ(ErrorOf("{\"Server\": [{\"Server_Id\": 1}]}"),
            "a.json:1: $.Server[0]: found no \"Port_Num\", want \"Server_Id\" "
            "and \"Port_Num\"");
  EXPECT_EQ(ErrorOf("{\"Server\": [{\"Server_Id\": 1, \"Port_Num\": 10},\n"
                    "{\"Server_Id\": 1, \"Port_Num\": 11}]}"),
            "a.json:2: $.Server[1].Server_Id: found 1, the id of $.Server[0] "
            "too; want every id once");
  EXPECT_EQ(ErrorOf("{\"Server\": [{\"Server_Id\": 1, \"Port_Num\": 10},\n"
                    "{\"Server_Id\": 2, \"Port_Num\": 10}]}"),
            "a.json:2: $.Server[1].Port_Num: found \"127.0.0.1:10\", the "
            "address of $.Server[0] too; want every address once");
}

TEST(ConfigErrorTest, TheFormsDoNotMix) {
  EXPECT_EQ(ErrorOfLine("\"Server\": [{\"Server_Id\": 2, \"Port_Num\": 2}]"),
            "a.json:3: $.Server: found together with \"servers\", want one of "
            "the two");
  EXPECT_THAT(
      ErrorOf("{\"Server\": [{\"id\": 1, \"address\": \"localhost:1\"}]}"),
      HasSubstr("$.Server[0].id: unknown key"));
}

TEST(ConfigErrorTest, TheGoDialectNeedsJsonAndBestEffort) {
  const std::string want =
      ", want it with \"codec\": \"json\" and \"delivery\": "
      "\"best_effort\" only, or \"cluster\"";
  EXPECT_EQ(
      ErrorOfLine("\"json_dialect\": \"go\", \"delivery\": \"best_effort\""),
      "a.json:3: $.json_dialect: found \"go\" with \"codec\": \"binary\"" +
          want);
  EXPECT_EQ(ErrorOfLine("\"json_dialect\": \"go\", \"codec\": \"json\""),
            "a.json:3: $.json_dialect: found \"go\" with \"delivery\": "
            "\"reliable\"" +
                want);
  EXPECT_EQ(ErrorOf("{\"Server\": [{\"Server_Id\": 1, \"Port_Num\": 1}],\n"
                    "\"heartbeat_ms\": 100}"),
            "a.json:2: $.heartbeat_ms: found with \"delivery\": "
            "\"best_effort\" (which \"Server\" implies), want it with "
            "\"reliable\" only, which alone has it");
}

TEST(ConfigErrorTest, EveryTruncationIsAnError) {
  const std::string text = R"({"cluster": "demo", "zmq": {"a": 1.5, "b": true},
    "servers": [{"id": 1, "address": "localhost:1"}, {"id": 2, "address": "localhost:2"}],
    "frame_bytes": 1024})";
  EXPECT_EQ(ErrorOf(text), "no error");
  for (std::size_t bytes = 0; bytes < text.size(); ++bytes)
    EXPECT_NE(ErrorOf(text.substr(0, bytes)), "no error") << bytes;
}

// After any change of one byte of a valid file, the answer is a Config that
// validates or an error that begins with the origin.
TEST(ConfigErrorTest, EveryChangedByteIsAnswered) {
  const std::string text =
      R"({"nng":{"a":-1},"servers":[{"id":1,"address":"localhost:1"}],"linger_ms":9})";
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = text;
      changed[i] = static_cast<char>(byte);
      const absl::StatusOr<Config> config = ParseConfig(changed, "a.json");
      if (config.ok()) {
        EXPECT_TRUE(ValidateConfig(*config).ok()) << changed;
      } else {
        EXPECT_THAT(std::string(config.status().message()),
                    ::testing::StartsWith("a.json:"));
      }
    }
  }
}

TEST(ConfigErrorTest, SecurityIsReadStrictly) {
  EXPECT_EQ(ErrorOfLine("\"security\": true"),
            "a.json:3: $.security: found true, want an object");
  EXPECT_EQ(ErrorOfLine("\"security\": {\"mode\": \"mutal\"}"),
            "a.json:3: $.security.mode: found \"mutal\", want \"mutual\" or "
            "\"none\"");
  EXPECT_EQ(ErrorOfLine("\"security\": {\"mod\": \"mutual\"}"),
            "a.json:3: $.security.mod: unknown key; did you mean \"mode\"?; "
            "known: mode, reload, identity, peers");
  EXPECT_EQ(ErrorOfLine("\"security\": {\"identity\": \"\"}"),
            "a.json:3: $.security.identity: found \"\", want the path of a "
            "folder");
  EXPECT_EQ(ErrorOfLine("\"security\": {\"peers\": {}}"),
            "a.json:3: $.security.peers: found an object, want at least one "
            "server's folder");
  for (const char* id : {"x", "-1", "01", "1.0", "2147483648"}) {
    EXPECT_THAT(ErrorOfLine(absl::StrCat("\"security\": {\"peers\": {\"", id,
                                         "\": \"f\"}}")),
                HasSubstr("found the key, want a server id from 0 to"));
  }
  EXPECT_EQ(ErrorOfLine("\"allow_plaintext\": 1"),
            "a.json:3: $.allow_plaintext: found 1, want true or false");
}

TEST(ConfigErrorTest, AdminServersAreReadStrictly) {
  EXPECT_EQ(ErrorOfLine("\"admin\": []"),
            "a.json:3: $.admin: found an array, want an object");
  EXPECT_EQ(ErrorOfLine("\"admin\": {\"token\": \"x\"}"),
            "a.json:3: $.admin.token: unknown key; did you mean "
            "\"token_file\"?; known: token_file, certificate, key");
  EXPECT_EQ(ErrorOfLine("\"admin\": {\"key\": 1}"),
            "a.json:3: $.admin.key: found 1, want a string");
  EXPECT_EQ(ErrorOfLine("\"admin\": {\"key\": \"x\"}"),
            "a.json:3: $.admin: found one of \"certificate\" and \"key\", want "
            "both or none");
  for (const auto& [address, text] :
       std::vector<std::pair<std::string, std::string>>{
           {"x", "found \"x\""},
           {"0.0.0.0:1", "every interface"},
           {"", "found \"\" of 0 bytes"}}) {
    EXPECT_THAT(
        ErrorOfServers({absl::StrCat(
            "{\"id\": 1, \"address\": \"localhost:1\",\n\"admin\": \"", address,
            "\"}")}),
        AllOf(HasSubstr("a.json:4: $.servers[0].admin: "), HasSubstr(text)));
  }
  EXPECT_THAT(
      ErrorOfServers(
          {"{\"id\": 1, \"address\": \"localhost:1\", \"admin\": \"h:9\"}",
           "{\"id\": 2, \"address\": \"localhost:2\", \"admin\": \"H.:09\"}"}),
      HasSubstr("$.servers[1].admin: found \"H.:09\", that of "
                "$.servers[0] too"));
}

}  // namespace
}  // namespace cluster::internal
