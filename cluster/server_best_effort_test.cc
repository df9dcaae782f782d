// Server without sessions: the plain transport.

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "cluster/server.h"
#include "cluster/testing/test_server.h"
#include "cluster/transport/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;

TEST(ServerBestEffortTest, BestEffortCarriesEnvelopesAndHasNoFlush) {
  Config config = MakeConfig(2);
  config.delivery = Delivery::kBestEffort;
  auto one = Started(1, config), two = Started(2, config);
  ASSERT_TRUE(one->Send(To(2, "plain")).ok());
  const absl::StatusOr<Envelope> received = two->Receive(kLong);
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->payload, "plain");
  EXPECT_EQ(received->sender_id, 1);
  EXPECT_EQ(one->Flush(kLong).code(), absl::StatusCode::kFailedPrecondition);
}

// As JSON a payload may become six times as large.
TEST(ServerBestEffortTest, EveryTransportTakesTheLargestPayload) {
  Config config = MakeConfig(2);
  config.delivery = Delivery::kBestEffort;
  config.codec = "json";
  config.payload_bytes_max = 1u << 30;
  for (const std::string& name : TransportNames()) {
    config.transport = name;
    for (ServerAddress& server : config.servers) {
      server.address =
          name == "memory" ? absl::StrCat("m", server.id) : "127.0.0.1:0";
    }
    const auto server = NewServer(1, config, *FindTransport(name));
    ASSERT_TRUE(server.ok()) << name << ": " << server.status();
    const absl::Status started = (*server)->Start();
    EXPECT_TRUE(started.ok()) << name << ": " << started;
  }
}

// Without an address there is no connection, and no queue to wait in.
TEST(ServerBestEffortTest, APeerOfUnknownAddressHasNoRoom) {
  Config config = MakeConfig(2);
  config.delivery = Delivery::kBestEffort;
  Config unknown = config;
  unknown.servers[1].address = "127.0.0.1:0";
  auto one = Started(1, unknown), two = Started(2, config);
  const absl::Status status = one->Send(To(2, "lost?"));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("address"));
  EXPECT_EQ(one->Send(To(2, "lost?"), absl::Milliseconds(1)).code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(one->Stats().Peer(2)->accepted, 0u);

  std::thread sender(
      [&] { EXPECT_TRUE(one->Send(To(2, "waited"), kLong).ok()); });
  ASSERT_TRUE(one->AddPeer(2, config.servers[1].address).ok());
  EXPECT_EQ(two->Receive(kLong)->payload, "waited");
  sender.join();

  // Nor is there for a member that was removed and added without an address.
  ASSERT_TRUE(one->RemovePeer(2).ok());
  ASSERT_TRUE(one->AddPeer(2, "127.0.0.1:0").ok());
  EXPECT_EQ(one->Send(To(2, "lost?")).code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(ServerBestEffortTest, ASenderIsWokenByStop) {
  Config config = MakeConfig(2);
  config.delivery = Delivery::kBestEffort;
  config.servers[1].address = "m2:0";
  auto one = Started(1, config);
  std::thread sender([&] {
    EXPECT_EQ(one->Send(To(2), absl::InfiniteDuration()).code(),
              absl::StatusCode::kCancelled);
  });
  one->Stop();
  sender.join();
}

}  // namespace
}  // namespace cluster::internal
