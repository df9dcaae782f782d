// ApplyConfig: what it changes, and what it refuses as a whole.

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cluster/server.h"
#include "cluster/testing/test_server.h"
#include "cluster/transport/testing/forwarding_transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Not of keys that cannot change: then it would be refused.
void ExpectSame(const Server& server, const Config& config) {
  const Config now = server.CurrentConfig();
  EXPECT_EQ(now.heartbeat, config.heartbeat);
  EXPECT_EQ(now.queue_bytes_max, config.queue_bytes_max);
  EXPECT_EQ(now.linger, config.linger);
  ASSERT_EQ(now.servers.size(), config.servers.size());
  for (std::size_t i = 0; i < config.servers.size(); ++i)
    EXPECT_EQ(now.servers[i].address, config.servers[i].address);
}

TEST(ApplyConfigTest, ServersComeGoAndMoveBeforeAndAfterTheStart) {
  for (const bool started : {false, true}) {
    const Config config = MakeConfig(3);
    std::unique_ptr<Server> one = Make(1, config);
    if (started) {
      ASSERT_TRUE(one->Start().ok());
    }
    Config wanted = config;
    wanted.servers = {{1, "m1"}, {3, "elsewhere"}, {4, "m4"}};
    ASSERT_TRUE(one->ApplyConfig(wanted).ok());
    EXPECT_THAT(one->Peers(), ElementsAre(3, 4));
    ExpectSame(*one, wanted);
    EXPECT_TRUE(absl::IsNotFound(one->RemovePeer(2)));
    EXPECT_TRUE(absl::IsAlreadyExists(one->AddPeer(4, "m5")));
    ASSERT_TRUE(one->ApplyConfig(config).ok());
    EXPECT_THAT(one->Peers(), ElementsAre(2, 3));
  }
}

TEST(ApplyConfigTest, AMemberThatTheConfigLacksIsRemovedWithItsEnvelopes) {
  const Config config = MakeConfig(2);
  Recorder events;
  std::unique_ptr<Server> one = Make(1, config);
  events.Attach(one.get());
  ASSERT_TRUE(one->Start().ok());
  ASSERT_TRUE(one->AddPeer(3, "m3").ok());
  ASSERT_TRUE(one->Send(To(3)).ok());
  ASSERT_TRUE(one->ApplyConfig(config).ok());
  events.WaitFor("<removed 3>");
  EXPECT_EQ(one->Stats().Peer(3)->Dropped(DropReason::kRemoved), 1u);
}

TEST(ApplyConfigTest, ANewMemberExchangesEnvelopes) {
  const Config config = MakeConfig(2);
  Config alone = config;
  alone.servers.pop_back();
  std::unique_ptr<Server> one = Started(1, alone);
  std::unique_ptr<Server> two = Started(2, config);
  ASSERT_TRUE(one->ApplyConfig(config).ok());
  ASSERT_TRUE(one->Send(To(2, "hello")).ok());
  EXPECT_EQ(two->Receive(kLong)->payload, "hello");
}

TEST(ApplyConfigTest, AQueueTakesItsNewBoundAndKeepsWhatIsThere) {
  Config config = MakeConfig(2);  // server 2 does not run
  config.queue_bytes_max = config.frame_bytes = 4096;
  config.inflight_bytes = config.window_bytes = 4096;
  config.answer_bytes_reserved = 0;
  std::unique_ptr<Server> one = Started(1, config);
  const auto fill = [&] {
    int accepted = 0;
    while (one->Send(To(2, std::string(400, 'x'))).ok()) ++accepted;
    return accepted;
  };
  const int few = fill();
  EXPECT_GT(few, 5);
  Config wider = config;
  wider.queue_bytes_max = 10 * config.queue_bytes_max;
  ASSERT_TRUE(one->ApplyConfig(wider).ok());
  EXPECT_GT(fill(), 8 * few);
  ASSERT_TRUE(one->ApplyConfig(config).ok());
  EXPECT_EQ(fill(), 0);
  EXPECT_GT(one->Stats().Peer(2)->queued, static_cast<std::uint64_t>(9 * few));
  // Room for the new ones, and no more.
  Config dropping = config;
  dropping.overflow = Overflow::kDropOldest;
  ASSERT_TRUE(one->ApplyConfig(dropping).ok());
  EXPECT_TRUE(one->Send(To(2, std::string(400, 'x'))).ok());
  EXPECT_LE(one->Stats().Peer(2)->queued_bytes, config.queue_bytes_max);
  EXPECT_GT(one->Stats().Peer(2)->Dropped(DropReason::kOverflow), 0u);
}

TEST(ApplyConfigTest, WhoWaitsForRoomHearsOfMore) {
  Config config = MakeConfig(2);
  config.queue_bytes_max = config.frame_bytes = 4096;
  config.inflight_bytes = config.window_bytes = 4096;
  std::unique_ptr<Server> one = Started(1, config);
  while (one->Send(To(2, std::string(400, 'x'))).ok()) {
  }
  std::thread waiting([&] {
    EXPECT_TRUE(one->Send(To(2, std::string(400, 'x')), kLong).ok());
  });
  config.queue_bytes_max *= 2;
  ASSERT_TRUE(one->ApplyConfig(config).ok());
  waiting.join();
}

TEST(ApplyConfigTest, TheInboxTakesItsNewBound) {
  Config config = MakeConfig(1);
  config.inbox_bytes_max = 1024;
  std::unique_ptr<Server> one = Started(1, config);
  while (one->Send(To(1, "x")).ok()) {
  }
  config.inbox_bytes_max = 4096;
  ASSERT_TRUE(one->ApplyConfig(config).ok());
  EXPECT_TRUE(one->Send(To(1, "x")).ok());
}

TEST(ApplyConfigTest, LingerIsThatOfTheLastConfig) {
  Config config = MakeConfig(2);
  config.linger = absl::Minutes(10);
  std::unique_ptr<Server> one = Started(1, config);
  config.linger = absl::ZeroDuration();
  ASSERT_TRUE(one->ApplyConfig(config).ok());
  ASSERT_TRUE(one->Send(To(2)).ok());
  one->Stop();  // within the test's time
}

TEST(ApplyConfigTest, ASlowHandlerIsReportedAfterTheNewTime) {
  Config config = MakeConfig(1);
  config.slow_handler = absl::Minutes(10);
  std::unique_ptr<Server> one = Make(1, config);
  Server* const server = one.get();
  one->OnEnvelope([server](const EnvelopeView&) {
    while (server->Stats().slow_handlers == 0) std::this_thread::yield();
  });
  ASSERT_TRUE(one->Start().ok());
  config.slow_handler = absl::Milliseconds(1);
  ASSERT_TRUE(one->ApplyConfig(config).ok());
  ASSERT_TRUE(one->Send(To(1)).ok());
  EXPECT_TRUE(one->Flush(kLong).ok());
  EXPECT_EQ(one->Stats().slow_handlers, 1u);
}

TEST(ApplyConfigTest, WhatIsNotLiveRefusesAllOfIt) {
  const Config config = MakeConfig(2);
  std::unique_ptr<Server> one = Started(1, config);
  Config wanted = config;
  wanted.servers.push_back({3, "m3"});
  wanted.heartbeat = absl::Seconds(1);
  wanted.queue_bytes_max *= 2;
  wanted.linger = absl::ZeroDuration();
  wanted.window_bytes /= 2;
  wanted.codec = "json";
  const absl::Status status = one->ApplyConfig(wanted);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat(
                  "$.window_bytes: found ", wanted.window_bytes,
                  ", and the server runs with ", config.window_bytes)));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("$.codec: found \"json\""));
  ExpectSame(*one, config);
  EXPECT_THAT(one->Peers(), ElementsAre(2));
}

TEST(ApplyConfigTest, AConfigThatIsNotValidRefusesAllOfIt) {
  const Config config = MakeConfig(2);
  std::unique_ptr<Server> one = Started(1, config);
  Config wanted = config;
  wanted.linger = absl::ZeroDuration();
  wanted.peer_timeout = wanted.heartbeat;
  EXPECT_TRUE(absl::IsInvalidArgument(one->ApplyConfig(wanted)));
  wanted.peer_timeout = config.peer_timeout;
  wanted.servers.push_back({3, "m2"});  // the address of server 2
  EXPECT_TRUE(absl::IsInvalidArgument(one->ApplyConfig(wanted)));
  ExpectSame(*one, config);
}

TEST(ApplyConfigTest, AServerDoesNotLeaveItsOwnConfig) {
  const Config config = MakeConfig(2);
  std::unique_ptr<Server> one = Started(1, config);
  Config wanted = config;
  wanted.servers.erase(wanted.servers.begin());
  const absl::Status status = one->ApplyConfig(wanted);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("server 1: found none, and the server runs with m1"));
}

// Its connection cannot be dialled, and so none is.
TEST(ApplyConfigTest, ADialThatFailsTakesAllBack) {
  Config config = MakeConfig(3);
  class Choosy : public ForwardingTransport {
   public:
    using ForwardingTransport::ForwardingTransport;
    absl::Status Connect(int peer, const std::string& address,
                         std::uint64_t generation) override {
      if (address == "nowhere") return absl::UnavailableError("no way there");
      return ForwardingTransport::Connect(peer, address, generation);
    }
  };
  auto one = NewServer(1, config, [](const TransportConfig& made) {
    absl::StatusOr<std::unique_ptr<Transport>> inner = NewMemoryTransport(made);
    return absl::StatusOr<std::unique_ptr<Transport>>(
        std::make_unique<Choosy>(*std::move(inner)));
  });
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_TRUE((*one)->Start().ok());
  std::unique_ptr<Server> two = Started(2, config);
  ASSERT_TRUE((*one)->Send(To(2, "before")).ok());
  EXPECT_EQ(two->Receive(kLong)->payload, "before");
  Config wanted = config;
  wanted.linger = absl::ZeroDuration();
  wanted.servers = {{1, "m1"}, {2, "elsewhere"}, {4, "m4"}, {5, "nowhere"}};
  const absl::Status status = (*one)->ApplyConfig(wanted);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("server 5: no way"));
  ExpectSame(**one, config);
  EXPECT_THAT((*one)->Peers(), ElementsAre(2, 3));
  ASSERT_TRUE((*one)->Send(To(2, "after")).ok());
  EXPECT_EQ(two->Receive(kLong)->payload, "after");
  EXPECT_EQ((*one)->Stats().Peer(2)->sessions, 1u);
}

TEST(ApplyConfigTest, NotInACallbackAndNotAfterStop) {
  const Config config = MakeConfig(1);
  std::unique_ptr<Server> one = Make(1, config);
  Server* const server = one.get();
  absl::Status in_callback;
  one->OnEnvelope([&in_callback, server, config](const EnvelopeView&) {
    in_callback = server->ApplyConfig(config);
  });
  ASSERT_TRUE(one->Start().ok());
  ASSERT_TRUE(one->Send(To(1)).ok());
  ASSERT_TRUE(one->Flush(kLong).ok());
  one->Stop();
  EXPECT_TRUE(absl::IsFailedPrecondition(in_callback)) << in_callback;
  EXPECT_TRUE(absl::IsCancelled(one->ApplyConfig(config)));
}

TEST(ApplyConfigTest, BestEffortChangesItsMembers) {
  Config config = MakeConfig(2);
  config.delivery = Delivery::kBestEffort;
  Config alone = config;
  alone.servers.pop_back();
  std::unique_ptr<Server> one = Started(1, alone);
  std::unique_ptr<Server> two = Started(2, config);
  ASSERT_TRUE(one->ApplyConfig(config).ok());
  EXPECT_THAT(one->Peers(), ElementsAre(2));
  ASSERT_TRUE(one->Send(To(2, "hello"), kLong).ok());
  EXPECT_EQ(two->Receive(kLong)->payload, "hello");
}

}  // namespace
}  // namespace cluster::internal
