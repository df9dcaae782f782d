// What Server refuses, and how. The same over real sockets is in
// //tests:overflow_test.

#include <memory>
#include <string>
#include <thread>

#include "cluster/server.h"
#include "cluster/test_server.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

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

}  // namespace
}  // namespace cluster
