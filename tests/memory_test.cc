// The bound for all peers together, over each backend: dead peers with full
// queues, and large payloads that arrive from several peers at once.

#include "cluster/config/memory.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "cluster/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/fresh_address.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr absl::Duration kLong = absl::Seconds(60);
constexpr std::size_t kPayload = 512u << 10;

class MemoryTest : public testing::TestWithParam<const char*> {
 protected:
  MemoryTest() {
    config_.cluster = "memory-test";
    config_.transport = GetParam();
    config_.payload_bytes_max = kPayload;
    config_.memory_bytes_max = MemoryBytesMin(kPayload);
    config_.frame_bytes = 4096;
    config_.inflight_bytes = 64u << 10;
    config_.linger = absl::ZeroDuration();
    for (int id = 1; id <= 5; ++id)
      config_.servers.push_back({id, FreshAddress(AddressKind::kIpv4)});
  }

  // Starts servers on free ports. The first server and each other one learn
  // each other's addresses.
  void Start(std::vector<int> ids) {
    for (int id : ids) {
      auto server = NewServer(id, config_);
      ASSERT_TRUE(server.ok()) << server.status();
      ASSERT_TRUE((*server)->Start().ok());
      servers_.push_back(*std::move(server));
      if (servers_.size() == 1) continue;
      Server& last = *servers_.back();
      ASSERT_TRUE(servers_[0]->AddPeer(id, last.Address()).ok());
      ASSERT_TRUE(
          last.AddPeer(servers_[0]->Pid(), servers_[0]->Address()).ok());
    }
  }

  Server& server(int i) { return *servers_[static_cast<std::size_t>(i)]; }

  static Envelope To(int pid, std::string payload) {
    Envelope envelope;
    envelope.pid = pid;
    envelope.payload = std::move(payload);
    return envelope;
  }

  void Check() {
    const ServerStats stats = server(0).Stats();
    EXPECT_LE(stats.held_bytes, config_.memory_bytes_max);
    EXPECT_THAT(BalanceProblems(1, stats), IsEmpty());
  }

  Config config_;
  std::vector<std::unique_ptr<Server>> servers_;
};

TEST_P(MemoryTest, DeadPeersShutNobodyOut) {
  Start({1, 2});
  for (int dead : {3, 4, 5}) {
    absl::Status status;
    while (status.ok())
      status = server(0).Send(To(dead, std::string(10000, 'x')));
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_TRUE(absl::StrContains(status.message(), "memory_bytes_max"))
        << status;
    Check();
  }
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(server(0).Send(To(2, std::to_string(i)), kLong).ok());
    EXPECT_EQ(server(1).Receive(kLong)->payload, std::to_string(i));
    Check();
  }
  // A payload beyond the guarantee waits for the pool, which the others hold.
  const std::string large(kPayload, 'y');
  EXPECT_EQ(server(0).Send(To(2, large)).code(),
            absl::StatusCode::kResourceExhausted);
  absl::Status sent;
  std::thread sender([&] { sent = server(0).Send(To(2, large), kLong); });
  for (int dead : {3, 4, 5}) EXPECT_TRUE(server(0).RemovePeer(dead).ok());
  EXPECT_EQ(server(1).Receive(kLong)->payload, large);
  sender.join();
  EXPECT_TRUE(sent.ok()) << sent;
  Check();
}

// There is room to reassemble one of them at a time.
TEST_P(MemoryTest, LargePayloadsFromAllPeersAtOnceArrive) {
  Start({1, 2, 3, 4, 5});
  constexpr int kEach = 6;
  std::vector<std::thread> senders;
  for (int i = 1; i < 5; ++i) {
    senders.emplace_back([this, i] {
      for (int j = 0; j < kEach; ++j) {
        Envelope envelope = To(1, std::string(kPayload, 'a' + i));
        envelope.lane = static_cast<Lane>(j % kLanes);
        EXPECT_TRUE(server(i).Send(envelope, kLong).ok());
      }
    });
  }
  for (int i = 0; i < 4 * kEach; ++i) {
    const auto received = server(0).Receive(kLong);
    ASSERT_TRUE(received.ok()) << received.status() << " after " << i;
    EXPECT_EQ(received->payload,
              std::string(kPayload, 'a' + received->sender_id - 1));
    Check();
  }
  for (std::thread& sender : senders) sender.join();
  for (const PeerStats& peer : server(0).Stats().peers) {
    EXPECT_EQ(peer.sessions, 1u);
    EXPECT_EQ(peer.Refused(RefusalReason::kStalled), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, MemoryTest,
                         testing::ValuesIn(AllTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
