// Envelopes that Server refuses, and the errors. //tests:overflow_test tests it
// over real sockets.

#include <limits>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "cluster/server.h"
#include "cluster/testing/test_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;

TEST(ServerLimitsTest, OwnInboxIsBounded) {
  Config config = MakeConfig(2);
  config.inbox_bytes_max = 1 << 20;
  auto one = Started(1, config);
  absl::Status status;
  int sent = 0;
  while ((status = one->Send(To(1, std::string(10000, 'x')))).ok()) ++sent;
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_GT(sent, 50);
  EXPECT_LE(sent, 105);
}

TEST(ServerLimitsTest, AFullQueueRejectsAndWaitingEndsWithRoom) {
  Config config = MakeConfig(2);
  config.queue_bytes_max = 1 << 20;
  config.linger = absl::ZeroDuration();
  auto one = Started(1, config);
  absl::Status status;
  while ((status = one->Send(To(2, std::string(50000, 'x')))).ok()) {
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(
      one->Send(To(2, std::string(50000, 'x')), absl::Milliseconds(1)).code(),
      absl::StatusCode::kDeadlineExceeded);
  std::thread sender([&] {
    EXPECT_TRUE(one->Send(To(2, std::string(50000, 'y')), kLong).ok());
  });
  auto two = Started(2, config);
  while (two->Receive(kLong)->payload[0] != 'y') {
  }
  sender.join();
}

TEST(ServerLimitsTest, TooLargeAPayloadIsRefused) {
  Config config = MakeConfig(2);
  config.payload_bytes_max = 100000;
  auto one = Started(1, config);
  EXPECT_EQ(one->Send(To(2, std::string(100001, 'x'))).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(one->Send(To(1, std::string(100001, 'x'))).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(one->Send(To(2, std::string(100000, 'x'))).ok());
}

TEST(ServerLimitsTest, TheErrorSaysWhichLimitAPayloadIsOver) {
  Config config = MakeConfig(2);
  config.payload_bytes_max = 100000;
  auto one = Started(1, config);
  config.payload_bytes_max = 50000;
  auto two = Started(2, config);
  // Its session has begun when server 2 has taken this.
  ASSERT_TRUE(one->Send(To(2, "x")).ok());
  ASSERT_TRUE(two->Receive(kLong).ok());
  const auto error_of = [&one](std::size_t bytes) {
    return std::string(one->Send(To(2, std::string(bytes, 'x'))).message());
  };
  EXPECT_EQ(error_of(50000), "");
  EXPECT_EQ(error_of(50001),
            "a payload of 50001 bytes for server 2: over payload_bytes_max of "
            "that server, which is less than the 100000 here");
  EXPECT_EQ(error_of(100001),
            "a payload of 100001 bytes for server 2: over payload_bytes_max, "
            "100000");
}

// Sends an invalid envelope in each way. The call returns an error with `text`,
// and no server gets it.
void ExpectRefused(const Envelope& bad, const std::string& text) {
  const Config config = MakeConfig(2);
  auto one = Started(1, config), two = Started(2, config);
  for (int pid : {1, 2, kBroadcast}) {
    Envelope envelope = bad;
    envelope.pid = pid;
    const absl::Status status = one->Send(envelope, kLong);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
    EXPECT_EQ(one->SendWithId(envelope, kLong).status(), status);
  }
  const MulticastResult several = one->Multicast({1, 2}, bad, kLong);
  EXPECT_EQ(several.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(several.status.message()), HasSubstr(text));
  EXPECT_TRUE(several.peers.empty());
  EXPECT_EQ(several.message_id, MessageId());
  const ServerStats stats = one->Stats();
  EXPECT_EQ(stats.Peer(2)->accepted, 0u);
  EXPECT_EQ(stats.own.accepted, 0u);
}

TEST(ServerLimitsTest, ALaneThatIsNoneIsRefused) {
  for (const int lane : {3, 4, 127, 128, 255}) {
    Envelope bad = To(0, "x");
    bad.lane = static_cast<Lane>(lane);
    ExpectRefused(bad, absl::StrCat("lane ", lane));
  }
}

TEST(ServerLimitsTest, AReservedTypeIsRefused) {
  for (const int type : {4, 5, 62, 63}) {
    Envelope bad = To(0, "x");
    bad.msg_type = static_cast<MsgType>(type);
    ExpectRefused(bad, absl::StrCat("msg_type ", type));
  }
  auto one = Started(1, MakeConfig(2));
  for (const int type : {0, 3, 64, 0xffff}) {
    Envelope good = To(1, "x");
    good.msg_type = static_cast<MsgType>(type);
    EXPECT_TRUE(one->Send(good).ok()) << type;
  }
}

TEST(ServerLimitsTest, APidThatCanBeNobodysIsRefused) {
  auto one = Started(1, MakeConfig(3));
  for (const int pid : {-2, -1000, std::numeric_limits<int>::min()}) {
    const absl::Status status = one->Send(To(pid));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat("pid ", pid, ": want 0 to")));
    EXPECT_EQ(one->Flush(pid, kLong).code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(one->AddPeer(pid, "m9").code(),
              absl::StatusCode::kInvalidArgument);
  }
  for (const int pid : {-1, -2}) {
    const MulticastResult result = one->Multicast({2, pid, 3}, To(0));
    EXPECT_EQ(result.status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(result.peers.empty());
  }
  EXPECT_TRUE(one->Multicast({}, To(0)).ok());
  for (int pid : {2, 3}) EXPECT_EQ(one->Stats().Peer(pid)->accepted, 0u);
}

TEST(ServerLimitsTest, NullIsRefused) {
  const Config config = MakeConfig(1);
  auto one = Started(1, config);
  EXPECT_EQ(one->ReceiveBatch(nullptr, 1).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(NewServer(1, config, nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
  const TransportFactory gives_none =
      [](const TransportConfig&) -> absl::StatusOr<std::unique_ptr<Transport>> {
    return std::unique_ptr<Transport>();
  };
  EXPECT_EQ(NewServer(1, config, gives_none).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ServerLimitsTest, ReasonsThatAreNoneAreCountedAsNone) {
  EXPECT_STREQ(DropReasonName(static_cast<DropReason>(kDropReasons)),
               "unknown");
  EXPECT_STREQ(RefusalReasonName(static_cast<RefusalReason>(-1)), "unknown");
  EXPECT_EQ(PeerStats().Dropped(static_cast<DropReason>(-1)), 0u);
  EXPECT_EQ(PeerStats().Refused(static_cast<RefusalReason>(kRefusalReasons)),
            0u);
  EXPECT_EQ(ServerStats().Refused(static_cast<RefusalReason>(1000)), 0u);
}

}  // namespace
}  // namespace cluster::internal
