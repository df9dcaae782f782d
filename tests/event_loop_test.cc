// Receiving in an event loop, over each backend: NotifyFd and ReceiveAny.

#include <fcntl.h>
#include <poll.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster/server.h"
#include "gtest/gtest.h"
#include "tests/harness/fresh_address.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr int kPatienceMs = 60 * 1000;

Envelope To(int pid, const std::string& payload) {
  Envelope envelope;
  envelope.pid = pid;
  envelope.payload = payload;
  return envelope;
}

bool Readable(int fd, int timeout_ms) {
  pollfd polled{fd, POLLIN, 0};
  return poll(&polled, 1, timeout_ms) == 1 && (polled.revents & POLLIN) != 0;
}

// Server 1 has a loop; server 2 sends to it.
class EventLoopTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    Config config;
    config.cluster = "event-loop-test";
    config.transport = GetParam();
    config.linger = absl::ZeroDuration();
    for (int id : {1, 2})
      config.servers.push_back({id, FreshAddress(AddressKind::kIpv4)});
    for (int id : {1, 2}) {
      auto server = NewServer(id, config);
      ASSERT_TRUE(server.ok()) << server.status();
      servers_.push_back(*std::move(server));
    }
    const absl::StatusOr<int> fd = one().NotifyFd();
    ASSERT_TRUE(fd.ok()) << fd.status();
    fd_ = *fd;
    EXPECT_EQ(one().NotifyFd().value(), fd_);
    EXPECT_FALSE(Readable(fd_, 0));
    for (auto& server : servers_) ASSERT_TRUE(server->Start().ok());
    ASSERT_TRUE(one().AddPeer(2, two().Address()).ok());
    ASSERT_TRUE(two().AddPeer(1, one().Address()).ok());
  }

  Server& one() { return *servers_[0]; }
  Server& two() { return *servers_[1]; }

  // Waits until it may be read, takes all, and returns the texts.
  std::vector<std::string> Turn() {
    std::vector<std::string> texts;
    EXPECT_TRUE(Readable(fd_, kPatienceMs));
    absl::StatusOr<Item> item = one().ReceiveAny(absl::ZeroDuration());
    for (; item.ok(); item = one().ReceiveAny(absl::ZeroDuration())) {
      EXPECT_NE(item->envelope.has_value(), item->event.has_value());
      if (item->envelope) texts.push_back(item->envelope->payload);
      if (item->event) texts.push_back(PeerEventTypeName(item->event->type));
    }
    EXPECT_EQ(item.status().code(), absl::StatusCode::kDeadlineExceeded)
        << item.status();
    return texts;
  }
  // Until so many came.
  std::vector<std::string> Turns(std::size_t count) {
    std::vector<std::string> texts;
    while (texts.size() < count && !HasFailure()) {
      for (std::string& text : Turn()) texts.push_back(std::move(text));
    }
    return texts;
  }

  std::vector<std::unique_ptr<Server>> servers_;
  int fd_ = -1;
};

TEST_P(EventLoopTest, IsReadableWhileThereIsSomethingToReceive) {
  EXPECT_TRUE((fcntl(fd_, F_GETFD) & FD_CLOEXEC) != 0);
  EXPECT_EQ(Turns(1).front(), "up");
  EXPECT_FALSE(Readable(fd_, 0));
  ASSERT_TRUE(two().Send(To(1, "a")).ok());
  ASSERT_TRUE(two().Send(To(1, "b")).ok());
  ASSERT_TRUE(Readable(fd_, kPatienceMs));
  EXPECT_TRUE(Readable(fd_, 0));  // level-triggered
  EXPECT_EQ(Turns(2), (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(Readable(fd_, 0));
  // To itself; one of several stays.
  ASSERT_TRUE(one().Send(To(1, "c")).ok());
  ASSERT_TRUE(one().Send(To(1, "d")).ok());
  EXPECT_EQ(one().Receive(kPatience).value().payload, "c");
  EXPECT_TRUE(Readable(fd_, 0));
  EXPECT_EQ(one().Receive(kPatience).value().payload, "d");
  EXPECT_FALSE(Readable(fd_, 0));
}

TEST_P(EventLoopTest, EventsHaveTheirPlacesAmongEnvelopes) {
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(two().Send(To(1, std::to_string(i))).ok());
  ASSERT_TRUE(two().Flush(absl::ZeroDuration()).code() !=
              absl::StatusCode::kFailedPrecondition);
  std::vector<std::string> expected{"up"};
  for (int i = 0; i < 20; ++i) expected.push_back(std::to_string(i));
  EXPECT_EQ(Turns(21), expected);
  two().Stop();
  EXPECT_EQ(Turns(1), std::vector<std::string>{"down"});
}

TEST_P(EventLoopTest, ReceivePassesEventsOver) {
  ASSERT_TRUE(two().Send(To(1, "a")).ok());
  EXPECT_EQ(one().Receive(kPatience).value().payload, "a");
  ASSERT_TRUE(two().Send(To(1, "b")).ok());
  std::vector<Envelope> batch;
  ASSERT_TRUE(one().ReceiveBatch(&batch, 10, kPatience).ok());
  EXPECT_EQ(batch.front().payload, "b");
  EXPECT_FALSE(Readable(fd_, 0));
}

TEST_P(EventLoopTest, IsReadableAfterStop) {
  one().Stop();
  EXPECT_TRUE(Readable(fd_, 0));
  EXPECT_EQ(one().ReceiveAny(absl::ZeroDuration()).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_TRUE(Readable(fd_, 0));
}

TEST_P(EventLoopTest, IsNotForServersWithHandlers) {
  Config config;
  config.transport = GetParam();
  config.servers.push_back({1, FreshAddress(AddressKind::kIpv4)});
  auto server = NewServer(1, config);
  ASSERT_TRUE(server.ok()) << server.status();
  (*server)->OnEnvelope([](const EnvelopeView&) {});
  EXPECT_EQ((*server)->NotifyFd().status().code(),
            absl::StatusCode::kFailedPrecondition);
  auto other = NewServer(1, config);
  (*other)->OnPeerEvent([](const PeerEvent&) {});
  EXPECT_TRUE((*other)->NotifyFd().ok());
  EXPECT_EQ((*other)->ReceiveAny(absl::ZeroDuration()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

INSTANTIATE_TEST_SUITE_P(Backends, EventLoopTest,
                         testing::ValuesIn(AllTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
