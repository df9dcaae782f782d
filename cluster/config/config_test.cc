#include "cluster/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

Config Parsed(absl::string_view text) {
  absl::StatusOr<Config> config = ParseConfig(text, "a.json");
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *std::move(config) : Config();
}

std::string TestFile(const std::string& name, absl::string_view text) {
  const std::string file = ::testing::TempDir() + "/" + name;
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

constexpr char kLeast[] =
    R"({"servers": [{"id": 1, "address": "localhost:1"}]})";

TEST(ConfigTest, DefaultsStandWhereKeysAreAbsent) {
  const Config config = Parsed(kLeast);
  const Config defaults;
  EXPECT_EQ(config.cluster, "cluster");
  EXPECT_EQ(config.transport, "zmq");
  EXPECT_EQ(config.codec, "binary");
  EXPECT_EQ(config.delivery, Delivery::kReliable);
  EXPECT_EQ(config.frame_bytes, defaults.frame_bytes);
  EXPECT_EQ(config.linger, defaults.linger);
  ASSERT_EQ(config.servers.size(), 1u);
  EXPECT_EQ(config.servers[0].id, 1);
  EXPECT_EQ(config.servers[0].address, "localhost:1");
  EXPECT_TRUE(config.transport_options.empty());
}

TEST(ConfigTest, ReadsEveryKey) {
  const Config config = Parsed(R"({
    "cluster": "demo", "transport": "nng", "codec": "json",
    "servers": [{"address": "[::1]:10001", "id": 0},
                {"id": 2147483647, "address": "ipc:///tmp/two",
                 "listen": "ipc:///tmp/in"}],
    "frame_bytes": 1024, "inflight_bytes": 2048, "window_bytes": 4096,
    "queue_bytes_max": 8192, "payload_bytes_max": 16384,
    "inbox_bytes_max": 32768,
    "overflow": "drop_oldest", "on_peer_restart": "drop",
    "heartbeat_ms": 100, "peer_timeout_ms": 200, "handshake_timeout_ms": 300,
    "linger_ms": 0})");
  EXPECT_EQ(config.cluster, "demo");
  EXPECT_EQ(config.transport, "nng");
  EXPECT_EQ(config.codec, "json");
  ASSERT_EQ(config.servers.size(), 2u);
  EXPECT_EQ(config.servers[0].id, 0);
  EXPECT_EQ(config.servers[0].address, "[::1]:10001");
  EXPECT_EQ(config.servers[1].id, 2147483647);
  EXPECT_EQ(config.servers[1].address, "ipc:///tmp/two");
  EXPECT_EQ(config.servers[0].listening(), "[::1]:10001");
  EXPECT_EQ(config.servers[1].listening(), "ipc:///tmp/in");
  EXPECT_EQ(config.frame_bytes, 1024u);
  EXPECT_EQ(config.inflight_bytes, 2048u);
  EXPECT_EQ(config.window_bytes, 4096u);
  EXPECT_EQ(config.queue_bytes_max, 8192u);
  EXPECT_EQ(config.payload_bytes_max, 16384u);
  EXPECT_EQ(config.inbox_bytes_max, 32768u);
  EXPECT_EQ(config.overflow, Overflow::kDropOldest);
  EXPECT_EQ(config.on_peer_restart, OnPeerRestart::kDrop);
  EXPECT_EQ(config.heartbeat, absl::Milliseconds(100));
  EXPECT_EQ(config.peer_timeout, absl::Milliseconds(200));
  EXPECT_EQ(config.handshake_timeout, absl::Milliseconds(300));
  EXPECT_EQ(config.linger, absl::ZeroDuration());
}

TEST(ConfigTest, ReadsEveryWordOfThePolicies) {
  const Config config =
      Parsed(R"({"servers": [{"id": 1, "address": "localhost:1"}],
    "delivery": "reliable", "overflow": "reject",
    "on_peer_restart": "resend"})");
  EXPECT_EQ(config.delivery, Delivery::kReliable);
  EXPECT_EQ(config.overflow, Overflow::kReject);
  EXPECT_EQ(config.on_peer_restart, OnPeerRestart::kResend);
}

TEST(ConfigTest, BestEffortHasItsOwnKeys) {
  const Config config =
      Parsed(R"({"servers": [{"id": 1, "address": "localhost:1"}],
    "delivery": "best_effort", "payload_bytes_max": 100,
    "inbox_bytes_max": 2000, "handshake_timeout_ms": 100, "linger_ms": 50})");
  EXPECT_EQ(config.delivery, Delivery::kBestEffort);
  EXPECT_EQ(config.payload_bytes_max, 100u);
  EXPECT_EQ(config.inbox_bytes_max, 2000u);
}

TEST(ConfigTest, BackendObjectsKeepTypesAndPlace) {
  const Config config =
      Parsed(R"({"servers": [{"id": 1, "address": "localhost:1"}],
    "zmq": {"threads": 2, "ratio": 0.5,
            "fast": true, "name": "x"},
    "nng": {}, "memory": {"delay": -1}})");
  ASSERT_EQ(config.transport_options.size(), 3u);
  const TransportOptions& zmq = config.transport_options.at("zmq");
  EXPECT_EQ(zmq.origin, "a.json:2: $.zmq");
  EXPECT_THAT(zmq.values,
              ElementsAre(Pair("fast", OptionValue(true)),
                          Pair("name", OptionValue(std::string("x"))),
                          Pair("ratio", OptionValue(0.5)),
                          Pair("threads", OptionValue(std::int64_t{2}))));
  EXPECT_TRUE(config.transport_options.at("nng").values.empty());
}

TEST(ConfigTest, AStrangersTransportHasItsObjectToo) {
  const Config config = Parsed(R"({"servers": [{"id": 1, "address": "any"}],
    "quic": {"paths": 2}, "transport": "quic"})");
  EXPECT_EQ(config.transport_options.at("quic").values.size(), 1u);
}

TEST(ConfigTest, ReadsTheSeedsForm) {
  const Config config = Parsed(R"({"Server": [
    {"Server_Id": 1, "Port_Num": 10000},
    {"Server_Id": 2, "Port_Num": 10001}]})");
  ASSERT_EQ(config.servers.size(), 2u);
  EXPECT_EQ(config.servers[0].id, 1);
  EXPECT_EQ(config.servers[0].address, "127.0.0.1:10000");
  EXPECT_EQ(config.servers[1].id, 2);
  EXPECT_EQ(config.servers[1].address, "127.0.0.1:10001");
}

// As Go programs that read the same file do, unless the file says otherwise.
TEST(ConfigTest, TheSeedsFormImpliesHowItsProgramsTalk) {
  const auto with = [](absl::string_view keys) {
    return Parsed(absl::StrCat(
        R"({"Server": [{"Server_Id": 1, "Port_Num": 1}])", keys, "}"));
  };
  const auto talks = [&](absl::string_view keys) {
    const Config config = with(keys);
    return std::make_tuple(config.delivery, config.codec, config.json_dialect);
  };
  constexpr auto kBest = Delivery::kBestEffort;
  constexpr auto kReliable = Delivery::kReliable;
  constexpr auto kGo = JsonDialect::kGo;
  constexpr auto kOwn = JsonDialect::kCluster;
  EXPECT_EQ(talks(""), std::make_tuple(kBest, "json", kGo));
  EXPECT_EQ(talks(R"(, "delivery": "best_effort", "codec": "json")"),
            std::make_tuple(kBest, "json", kGo));
  EXPECT_EQ(talks(R"(, "json_dialect": "cluster")"),
            std::make_tuple(kBest, "json", kOwn));
  EXPECT_EQ(talks(R"(, "codec": "binary")"),
            std::make_tuple(kBest, "binary", kOwn));
  EXPECT_EQ(talks(R"(, "delivery": "reliable")"),
            std::make_tuple(kReliable, "json", kOwn));
  EXPECT_EQ(talks(R"(, "delivery": "reliable", "codec": "binary")"),
            std::make_tuple(kReliable, "binary", kOwn));
  EXPECT_EQ(with(R"(, "heartbeat_ms": 100, "delivery": "reliable")").heartbeat,
            absl::Milliseconds(100));
}

TEST(ConfigTest, TheGoDialectIsThereForEveryFile) {
  const Config config = Parsed(R"({"json_dialect": "go", "codec": "json",
    "delivery": "best_effort", "servers": [{"id": 1, "address": "[::1]:1"}]})");
  EXPECT_EQ(config.json_dialect, JsonDialect::kGo);
}

TEST(ConfigTest, MemoryAndStrangersTakeAnyAddress) {
  for (const char* transport : {"memory", "quic"}) {
    const Config config = Parsed(absl::string_view(
        std::string(R"({"servers": [{"id": 1, "address": "no port here"}],
                        "transport": ")") +
        transport + "\"}"));
    ASSERT_EQ(config.servers.size(), 1u);
    EXPECT_EQ(config.servers[0].address, "no port here");
  }
}

TEST(ConfigTest, PortZeroMayRepeat) {
  EXPECT_EQ(Parsed(R"({"servers": [{"id": 1, "address": "127.0.0.1:0"},
                                   {"id": 2, "address": "127.0.0.1:0"}]})")
                .servers.size(),
            2u);
}

TEST(ConfigTest, PlaceOfNamesTheLine) {
  const Config config = Parsed(
      "{\"servers\": [{\"id\": 1, \"address\": \"localhost:1\"}],\n\n"
      " \"transport\": \"zmp\"}");
  EXPECT_EQ(config.origin, "a.json");
  EXPECT_EQ(PlaceOf(config, "transport"), "a.json:3: $.transport");
  EXPECT_EQ(PlaceOf(config, "codec"), "a.json: $.codec");
  EXPECT_EQ(PlaceOf(Config(), "codec"), "config: $.codec");
}

TEST(LoadConfigTest, ReadsAFile) {
  const std::string file = TestFile("good.json", kLeast);
  const absl::StatusOr<Config> config = LoadConfig(file);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->origin, file);
}

TEST(LoadConfigTest, ErrorsBeginWithTheFile) {
  const std::string file = TestFile("bad.json", "{\n \"codecs\": 1}");
  const absl::Status status = LoadConfig(file).status();
  EXPECT_THAT(std::string(status.message()),
              ::testing::StartsWith(file + ":2: $.codecs: unknown key"));
}

TEST(LoadConfigTest, MissingFileIsNotFound) {
  const absl::Status status = LoadConfig("/nonexistent/a.json").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(),
            "/nonexistent/a.json: cannot read the file: No such file or "
            "directory");
  const std::string file = TestFile("plain", "x");
  EXPECT_EQ(LoadConfig(file + "/a.json").status().code(),
            absl::StatusCode::kNotFound);
}

TEST(LoadConfigTest, WhatIsNoFileIsAnError) {
  absl::Status status = LoadConfig(::testing::TempDir()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("found a directory, want a JSON file"));

  const std::string pipe = ::testing::TempDir() + "/pipe";
  ::unlink(pipe.c_str());
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  status = LoadConfig(pipe).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("a device or a pipe"));

  status = LoadConfig("").status();
  EXPECT_EQ(status.message(), "found \"\", want a file's path");
  status = LoadConfig(std::string("a\0b", 3)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST(LoadConfigTest, UnreadableFilesAreErrors) {
  const std::string link = ::testing::TempDir() + "/loop";
  ::unlink(link.c_str());
  ASSERT_EQ(::symlink("loop", link.c_str()), 0);
  absl::Status status = LoadConfig(link).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), link +
                                  ": cannot read the file: Too many levels of "
                                  "symbolic links");

  // Its first page is not mapped, so it opens and then fails to be read.
  status = LoadConfig("/proc/self/mem").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "/proc/self/mem: cannot read the file: Input/output error");

  status = LoadConfig(std::string(5000, 'x')).status();
  EXPECT_EQ(status.message(), std::string(300, 'x') +
                                  "...: cannot read the file: File name too "
                                  "long");
}

TEST(LoadConfigTest, HugeFilesAreErrors) {
  const std::string text = kLeast + std::string(4 << 20, ' ');
  const std::string file = TestFile("huge.json", text);
  const absl::Status status = LoadConfig(file).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            file + ": found more than 4194304 bytes, want at most so many");
  EXPECT_TRUE(LoadConfig(TestFile("large.json", text.substr(0, 4 << 20))).ok());
}

TEST(ConfigTest, ReadsSecurity) {
  Config config = Parsed(R"({"servers": [{"id": 1, "address": "10.0.0.1:1"}],
    "security": {"mode": "mutual", "identity": "keys/{id}", "peers": "public"}})");
  EXPECT_EQ(config.security.mode, SecurityConfig::Mode::kMutual);
  EXPECT_EQ(config.security.identity, "keys/{id}");
  EXPECT_EQ(config.security.peers, "public");

  config = Parsed(R"({"servers": [{"id": 1, "address": "10.0.0.1:1"}],
    "security": {"mode": "mutual", "identity": "own",
                 "peers": {"0": "zero", "7": "seven"}}})");
  EXPECT_EQ(config.security.peer_folders,
            (std::map<int, std::string>{{0, "zero"}, {7, "seven"}}));

  config = Parsed(R"({"servers": [{"id": 1, "address": "10.0.0.1:1"}],
    "security": {"mode": "none"}, "allow_plaintext": true})");
  EXPECT_EQ(config.security.mode, SecurityConfig::Mode::kNone);
  EXPECT_TRUE(config.allow_plaintext);
}

}  // namespace
}  // namespace cluster::internal
