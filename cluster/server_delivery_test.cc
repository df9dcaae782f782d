// Delivery by Server, over the memory transport. //tests/scenarios tests it
// over real sockets.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/server.h"
#include "cluster/testing/test_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;

TEST(ServerDeliveryTest, CarriesEveryField) {
  const Config config = MakeConfig(2);
  auto one = Started(1, config), two = Started(2, config);
  Envelope sent = To(2, "vote for me");
  sent.msg_type = MsgType::kRequestVoteRequest;
  sent.term = 1234567890123456789u;
  sent.voted = true;
  sent.lane = Lane::kUrgent;
  const absl::StatusOr<MessageId> id = one->SendWithId(sent);
  ASSERT_TRUE(id.ok()) << id.status();

  const absl::StatusOr<Envelope> received = two->Receive(kLong);
  ASSERT_TRUE(received.ok()) << received.status();
  sent.message_id = *id;
  sent.sender_id = 1;
  EXPECT_EQ(*received, sent);
}

TEST(ServerDeliveryTest, TakesAPayloadThatTheCallerKeeps) {
  const Config config = MakeConfig(2);
  auto one = Started(1, config), two = Started(2, config);
  std::string memory = "mine";
  EnvelopeView view;
  view.pid = 2;
  view.payload = memory;
  ASSERT_TRUE(one->Send(view).ok());
  const absl::StatusOr<MessageId> id = one->SendWithId(view);
  ASSERT_TRUE(id.ok()) << id.status();
  const MulticastResult result = one->Multicast({2}, view);
  ASSERT_TRUE(result.ok()) << result.status;
  memory = "used";
  absl::StatusOr<Envelope> received = two->Receive(kLong);
  for (const MessageId& wanted : {*id, result.message_id}) {
    ASSERT_TRUE(received.ok()) << received.status();
    EXPECT_EQ(received->payload, "mine");
    received = two->Receive(kLong);
    ASSERT_TRUE(received.ok()) << received.status();
    EXPECT_EQ(received->message_id, wanted);
  }
  EXPECT_EQ(received->payload, "mine");
}

TEST(ServerDeliveryTest, IsFifoAndExactlyOnce) {
  const Config config = MakeConfig(2);
  auto one = Started(1, config), two = Started(2, config);
  constexpr int kCount = 20000;
  std::thread sender([&] {
    for (int i = 0; i < kCount; ++i) {
      ASSERT_TRUE(one->Send(To(2, absl::StrCat(i)), kLong).ok());
    }
  });
  for (int i = 0; i < kCount; ++i) {
    const absl::StatusOr<Envelope> received = two->Receive(kLong);
    ASSERT_TRUE(received.ok()) << received.status();
    ASSERT_EQ(received->payload, absl::StrCat(i));
  }
  sender.join();
  EXPECT_TRUE(one->Flush(kLong).ok());
  const ServerStats stats = one->Stats();
  EXPECT_EQ(stats.Peer(2)->accepted, static_cast<std::uint64_t>(kCount));
  EXPECT_EQ(stats.Peer(2)->acknowledged, static_cast<std::uint64_t>(kCount));
}

TEST(ServerDeliveryTest, BroadcastReachesAllButOneselfWithOneId) {
  const Config config = MakeConfig(4);
  std::vector<std::unique_ptr<Server>> servers;
  for (int id = 1; id <= 4; ++id) servers.push_back(Started(id, config));
  const absl::StatusOr<MessageId> id =
      servers[0]->SendWithId(To(kBroadcast, "all"));
  ASSERT_TRUE(id.ok());
  for (int i = 1; i < 4; ++i) {
    const absl::StatusOr<Envelope> received =
        servers[static_cast<std::size_t>(i)]->Receive(kLong);
    ASSERT_TRUE(received.ok());
    EXPECT_EQ(received->message_id, *id);
    EXPECT_EQ(received->pid, kBroadcast);
  }
  EXPECT_EQ(servers[0]->Receive(absl::ZeroDuration()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(ServerDeliveryTest, MulticastReachesSomeOnceEachAndOneselfToo) {
  const Config config = MakeConfig(4);
  std::vector<std::unique_ptr<Server>> servers;
  for (int id = 1; id <= 4; ++id) servers.push_back(Started(id, config));
  const MulticastResult result =
      servers[0]->Multicast({1, 3, 3, 1}, To(0, "some"));
  ASSERT_TRUE(result.ok()) << result.status;
  ASSERT_EQ(result.peers.size(), 2u);
  for (std::size_t i : {0u, 2u}) {
    const absl::StatusOr<Envelope> received = servers[i]->Receive(kLong);
    ASSERT_TRUE(received.ok());
    EXPECT_EQ(received->message_id, result.message_id);
    EXPECT_EQ(received->pid, static_cast<int>(i) + 1);
    EXPECT_EQ(received->payload, "some");
  }
  const MulticastResult bad = servers[0]->Multicast({2, 9}, To(0, "none"));
  EXPECT_EQ(bad.status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(bad.peers.empty());
}

TEST(ServerDeliveryTest, UnknownPidNamesTheKnownOnes) {
  auto one = Started(1, MakeConfig(3));
  const absl::Status status = one->Send(To(7));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no server 7"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("1, 2, 3"));
}

TEST(ServerDeliveryTest, DeliversToItselfInOrder) {
  auto one = Started(1, MakeConfig(2));
  ASSERT_TRUE(one->Send(To(1, "a")).ok());
  ASSERT_TRUE(one->Send(To(1, "b")).ok());
  EXPECT_EQ(one->Receive(kLong)->payload, "a");
  EXPECT_EQ(one->Receive(kLong)->payload, "b");
  EXPECT_EQ(one->Stats().self_sent, 2u);
}

TEST(ServerDeliveryTest, APayloadLargerThanTheWindowArrives) {
  Config config = MakeConfig(2);
  config.window_bytes = 1 << 20;
  auto one = Started(1, config), two = Started(2, config);
  std::string payload(20 << 20, '\0');
  for (std::size_t i = 0; i < payload.size(); ++i)
    payload[i] = static_cast<char>(i * 7 + i / 256);
  ASSERT_TRUE(one->Send(To(2, payload)).ok());
  ASSERT_TRUE(one->Send(To(2, "after"), kLong).ok());
  const absl::StatusOr<Envelope> received = two->Receive(kLong);
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_TRUE(received->payload == payload);
  EXPECT_EQ(two->Receive(kLong)->payload, "after");
}

TEST(ServerDeliveryTest, ReceiveBatchTakesWhatIsThere) {
  const Config config = MakeConfig(2);
  auto one = Started(1, config), two = Started(2, config);
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(one->Send(To(2, absl::StrCat(i))).ok());
  std::vector<Envelope> batch(3);  // ReceiveBatch replaces these
  for (int taken = 0; taken < 100;) {
    ASSERT_TRUE(two->ReceiveBatch(&batch, 7, kLong).ok());
    ASSERT_GE(batch.size(), 1u);
    ASSERT_LE(batch.size(), 7u);
    for (const Envelope& envelope : batch)
      EXPECT_EQ(envelope.payload, absl::StrCat(taken++));
  }
  EXPECT_EQ(two->ReceiveBatch(&batch, 0).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ServerDeliveryTest, MessageIdsDifferAcrossLives) {
  const Config config = MakeConfig(2);
  auto one = Started(1, config);
  const MessageId first = *one->SendWithId(To(1));
  const MessageId second = *one->SendWithId(To(1));
  EXPECT_EQ(first.incarnation, second.incarnation);
  EXPECT_NE(first.sequence, second.sequence);
  one.reset();
  one = Started(1, config);
  EXPECT_NE(one->SendWithId(To(1))->incarnation, first.incarnation);
}

}  // namespace
}  // namespace cluster::internal
