// memory_bytes_max bounds the memory of a server for all its peers together.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "cluster/config/memory.h"
#include "cluster/testing/test_server.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

constexpr std::size_t kPayload = 256u << 10;

// The least memory that the payload limit allows.
Config SmallMemory(int servers) {
  Config config = MakeConfig(servers);
  config.payload_bytes_max = kPayload;
  config.memory_bytes_max = MemoryBytesMin(kPayload);
  config.frame_bytes = 4096;
  config.inflight_bytes = 64u << 10;
  config.linger = absl::ZeroDuration();
  return config;
}

// Sends until Send fails, and returns its status.
absl::Status Fill(Server* server, int pid, std::size_t bytes) {
  absl::Status status;
  while (status.ok()) status = server->Send(To(pid, std::string(bytes, 'x')));
  return status;
}

TEST(ServerMemory, TheRefusalNamesTheBound) {
  const Config config = SmallMemory(4);
  const auto server = Started(1, config);  // the others never start
  const absl::Status status = Fill(server.get(), 2, 10000);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(),
            absl::StrCat("no room for server 2 within memory_bytes_max, ",
                         config.memory_bytes_max,
                         ", which all peers share: some do not keep up, or are "
                         "down"));
  EXPECT_GT(server->Stats().Peer(2)->memory_refused, 0u);
  EXPECT_EQ(server->Stats().Peer(3)->memory_refused, 0u);
  EXPECT_GT(server->Stats().held_bytes, kPayload);
  const absl::Status late =
      server->Send(To(2, std::string(10000, 'x')), absl::Milliseconds(1));
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(ServerMemory, ADeadPeersQueueShutsNobodyOut) {
  const Config config = SmallMemory(4);
  const auto one = Started(1, config);
  const auto two = Started(2, config);
  EXPECT_TRUE(absl::IsResourceExhausted(Fill(one.get(), 3, 10000)));
  EXPECT_TRUE(absl::IsResourceExhausted(Fill(one.get(), 4, 10000)));
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(one->Send(To(2, std::to_string(i)), kLong).ok());
    ASSERT_TRUE(one->Send(To(2, std::string(1000, 'x')), kLong).ok());
    EXPECT_EQ(two->Receive(kLong)->payload, std::to_string(i));
    EXPECT_EQ(two->Receive(kLong)->payload.size(), 1000u);
    EXPECT_LE(one->Stats().held_bytes, config.memory_bytes_max);
  }
}

// A peer beyond its guarantee needs the pool, which another peer's queue uses.
// The sender wakes when that queue gives it back.
TEST(ServerMemory, ASenderWaitsForWhatAnotherPeerGivesBack) {
  const Config config = SmallMemory(3);
  const auto one = Started(1, config);
  const auto two = Started(2, config);
  EXPECT_TRUE(absl::IsResourceExhausted(Fill(one.get(), 3, 10000)));
  const std::string large(kPayload, 'y');
  EXPECT_EQ(one->Send(To(2, large)).code(),
            absl::StatusCode::kResourceExhausted);
  absl::Status sent;
  std::thread sender([&] { sent = one->Send(To(2, large), kLong); });
  const auto three = Started(3, config);
  std::thread reader([&] {
    while (three->Receive(kLong).ok()) {
    }
  });
  EXPECT_EQ(two->Receive(kLong)->payload, large);
  sender.join();
  EXPECT_TRUE(sent.ok()) << sent;
  three->Stop();
  reader.join();
}

// The same for a peer that is removed.
TEST(ServerMemory, ARemovedPeerGivesBackWhatItHad) {
  const Config config = SmallMemory(3);
  const auto one = Started(1, config);
  const auto two = Started(2, config);
  EXPECT_TRUE(absl::IsResourceExhausted(Fill(one.get(), 3, 10000)));
  const std::string large(kPayload, 'y');
  absl::Status sent;
  std::thread sender([&] { sent = one->Send(To(2, large), kLong); });
  ASSERT_TRUE(one->RemovePeer(3).ok());
  EXPECT_EQ(two->Receive(kLong)->payload, large);
  sender.join();
  EXPECT_TRUE(sent.ok()) << sent;
}

TEST(ServerMemory, StopEndsTheWait) {
  const Config config = SmallMemory(3);
  const auto one = Started(1, config);
  EXPECT_TRUE(absl::IsResourceExhausted(Fill(one.get(), 3, 10000)));
  absl::Status sent;
  std::thread sender(
      [&] { sent = one->Send(To(2, std::string(kPayload, 'y')), kLong); });
  one->Stop();
  sender.join();
  EXPECT_FALSE(sent.ok());
}

TEST(ServerMemory, WithThreeHundredPeersTheLargestPayloadCompletesBothWays) {
  constexpr int kPeers = 300;
  Config config = SmallMemory(1 + kPeers);
  // Each window holds a frame, and there is room to reassemble two payloads at
  // a time.
  config.inflight_bytes = 16u << 10;
  config.memory_bytes_max = 4u << 20;
  const auto hub = Started(1, config);
  const std::string large(kPayload, 'x');
  std::vector<std::unique_ptr<Server>> peers;
  for (int id = 2; id <= 1 + kPeers; ++id) {
    Config of_peer = config;
    of_peer.servers = {config.servers[0],
                       config.servers[static_cast<std::size_t>(id - 1)]};
    peers.push_back(Started(id, of_peer));
    // Sends to each in turn; all of them send at once.
    ASSERT_TRUE(hub->Send(To(id, large), kLong).ok());
    EXPECT_EQ(peers.back()->Receive(kLong)->payload, large);
    ASSERT_TRUE(peers.back()->Send(To(1, large), kLong).ok());
    EXPECT_LE(hub->Stats().held_bytes, config.memory_bytes_max);
  }
  for (int i = 0; i < kPeers; ++i) {
    const auto received = hub->Receive(kLong);
    ASSERT_TRUE(received.ok()) << received.status() << " after " << i;
    EXPECT_EQ(received->payload, large);
    EXPECT_LE(hub->Stats().held_bytes, config.memory_bytes_max);
  }
  for (const PeerStats& peer : hub->Stats().peers) {
    EXPECT_EQ(peer.sessions, 1u);
    EXPECT_EQ(peer.Refused(RefusalReason::kStalled), 0u);
    EXPECT_EQ(peer.Refused(RefusalReason::kOverrun), 0u);
  }
}

}  // namespace
}  // namespace cluster::internal
