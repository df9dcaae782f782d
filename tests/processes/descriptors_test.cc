// Servers that may not open enough descriptors report that, with the numbers,
// and do not abort. Each case runs in a process of its own, since limits are
// per process.

#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cluster/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/transports.h"
#include "tests/processes/in_child.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kSaid[] = "said: ";

// Marks the answer with "said: ", so that a child that ends early shows.
std::string SaidInChild(const std::function<std::string()>& run) {
  return InChild([&run] { return kSaid + run(); });
}

std::size_t OpenFiles() {
  const auto entries = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries))) -
         1;
}

void Limit(std::size_t files) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = files;
  setrlimit(RLIMIT_NOFILE, &limit);
}

Config MakeConfig(const std::string& transport, int peers) {
  Config config;
  config.transport = transport;
  config.linger = absl::ZeroDuration();
  config.servers.push_back({0, "127.0.0.1:0"});
  // Ports of this host without a listener.
  for (int id = 1; id <= peers; ++id) {
    config.servers.push_back(
        {id, absl::StrFormat("127.77.%d.%d:9", id / 250, 1 + id % 250)});
  }
  return config;
}

std::string StartWith(const std::string& transport, int peers) {
  auto server = NewServer(0, MakeConfig(transport, peers));
  if (!server.ok()) return server.status().ToString();
  const absl::Status status = (*server)->Start();
  (*server)->Stop();
  return status.ToString();
}

// The number of descriptors that the refusal names.
std::size_t NeedOf(const std::string& transport, int peers) {
  const std::string said = SaidInChild([&] {
    Limit(OpenFiles() + 6);  // for NewServer
    return StartWith(transport, peers);
  });
  const std::string before = "needs ";
  const std::size_t found = said.find(before);
  EXPECT_NE(found, std::string::npos) << said;
  if (found == std::string::npos) return 0;
  return static_cast<std::size_t>(
      std::atoi(said.c_str() + found + before.size()));
}

class DescriptorsTest : public testing::TestWithParam<const char*> {};

TEST_P(DescriptorsTest, TooFewAreToldAndNothingAborts) {
  int started = 0;
  int refused = 0;
  for (std::size_t files = 5; files <= 64; ++files) {
    const std::string said = SaidInChild([&] {
      Limit(files);
      return StartWith(GetParam(), 1);
    });
    if (said == absl::StrCat(kSaid, "OK")) {
      ++started;
      continue;
    }
    ++refused;
    EXPECT_EQ(started, 0) << files;
    EXPECT_THAT(said, StartsWith("said: RESOURCE_EXHAUSTED")) << files;
  }
  EXPECT_GT(started, 0);
  EXPECT_GT(refused, 0);
}

// The number that the text names is enough, and one less is not.
TEST_P(DescriptorsTest, TheNeedOfManyPeersIsTold) {
  constexpr int kPeers = 300;
  const std::string said = SaidInChild([&] {
    Limit(200);
    return StartWith(GetParam(), kPeers);
  });
  EXPECT_THAT(said, HasSubstr(" descriptors for 300 peers, 200 allowed, "));
  const std::string before = "(ulimit -n) to ";
  ASSERT_THAT(said, HasSubstr(before));
  const auto enough = static_cast<std::size_t>(
      std::atoi(said.c_str() + said.find(before) + before.size()));
  const auto start_with = [&](std::size_t files) {
    return SaidInChild([&] {
      Limit(files);
      return StartWith(GetParam(), kPeers);
    });
  };
  EXPECT_EQ(start_with(enough), "said: OK");
  EXPECT_THAT(start_with(enough - 1), StartsWith("said: RESOURCE_EXHAUSTED"));
}

TEST_P(DescriptorsTest, AddPeerIsRefusedWhereItWouldBeTooMany) {
  const std::string said = SaidInChild([&]() -> std::string {
    Limit(100);
    auto server = NewServer(0, MakeConfig(GetParam(), 0));
    if (!server.ok()) return server.status().ToString();
    if (absl::Status status = (*server)->Start(); !status.ok())
      return status.ToString();
    for (int id = 1; id <= 100; ++id) {
      const std::string address = absl::StrCat("127.77.1.", id, ":9");
      const absl::Status status = (*server)->AddPeer(id, address);
      if (status.ok()) continue;
      (*server)->Stop();
      return absl::StrCat("at ", id, " of ", (*server)->Peers().size() + 1,
                          ": ", status.ToString());
    }
    return "all were taken";
  });
  EXPECT_THAT(said, HasSubstr("RESOURCE_EXHAUSTED"));
  EXPECT_THAT(said, HasSubstr("100 allowed"));
  int id = 0;
  int members = 0;
  ASSERT_EQ(std::sscanf(said.c_str(), "said: at %d of %d", &id, &members), 2);
  EXPECT_EQ(id, members);  // the refused one is no member
  EXPECT_GT(id, 5);
}

// Servers that are connected both ways have at most the foreseen descriptors
// open.
TEST_P(DescriptorsTest, WhatIsForeseenIsEnough) {
  constexpr int kServers = 12;
  const std::string said = SaidInChild([&] {
    const std::size_t before = OpenFiles();
    auto lonely = *NewServer(0, MakeConfig(GetParam(), 0));
    if (!lonely->Start().ok()) return std::string("no start");
    const std::size_t alone = OpenFiles() - before;
    lonely.reset();
    std::vector<std::unique_ptr<Server>> servers;
    Config config = MakeConfig(GetParam(), kServers - 1);
    for (ServerAddress& server : config.servers) server.address = "127.0.0.1:0";
    for (int id = 0; id < kServers; ++id) {
      servers.push_back(*NewServer(id, config));
      if (!servers.back()->Start().ok()) return std::string("no start");
    }
    for (int id = 0; id < kServers; ++id) {
      for (int peer = 0; peer < kServers; ++peer) {
        if (peer == id) continue;
        if (!servers[id]->AddPeer(peer, servers[peer]->Address()).ok())
          return std::string("no peer");
      }
    }
    for (auto& server : servers) {
      Envelope envelope;
      envelope.pid = kBroadcast;
      if (!server->Send(envelope, absl::Seconds(30)).ok())
        return std::string("no send");
    }
    for (auto& server : servers) {
      for (int i = 1; i < kServers; ++i) {
        if (!server->Receive(absl::Seconds(30)).ok())
          return std::string("no envelope");
      }
    }
    const std::string open =
        absl::StrCat(alone, " ", OpenFiles() - before - kServers * alone);
    for (auto& server : servers) server->Stop();
    return open;
  });
  std::size_t alone = 0;
  std::size_t open = 0;  // for peers
  ASSERT_EQ(std::sscanf(said.c_str(), "said: %zu %zu", &alone, &open), 2)
      << said;
  const std::size_t fixed = NeedOf(GetParam(), 0);
  const std::size_t per_peer = (NeedOf(GetParam(), 100) - fixed) / 100;
  std::cout << alone << " open of a server without peers, " << fixed
            << " foreseen; of " << kServers << " servers " << open
            << " more, for each peer " << per_peer << " foreseen\n";
  EXPECT_LE(alone, fixed);
  EXPECT_LE(open, kServers * (kServers - 1) * per_peer);
}

INSTANTIATE_TEST_SUITE_P(Backends, DescriptorsTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

// 300 peers need 924 descriptors. Over zmq they need 1,532, and Start fails.
TEST(DescriptorsOfNngTest, ThreeHundredPeersStartWithTheUsualLimit) {
  EXPECT_EQ(SaidInChild([] {
              Limit(1024);
              return StartWith("nng", 300);
            }),
            "said: OK");
}

}  // namespace
}  // namespace cluster::internal
