// A server whose application stands still is down for its peers
// (application_timeout_ms), over each backend.

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster/base/mutex.h"
#include "cluster/server.h"
#include "gtest/gtest.h"
#include "tests/harness/event_log.h"
#include "tests/harness/fresh_address.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr char kStandsStill[] = "its application stands still";
constexpr char kGoesOn[] = "its application goes on";

Envelope To(int pid) {
  Envelope envelope;
  envelope.pid = pid;
  envelope.payload = "take me";
  return envelope;
}

// A handler that hangs until it may go on.
class Gate {
 public:
  void Pass() {
    MutexLock lock(&mutex_);
    while (!open_) changed_.Wait(&mutex_);
  }
  void Open() {
    MutexLock lock(&mutex_);
    open_ = true;
    changed_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ CLUSTER_GUARDED_BY(mutex_) = false;
};

// Server 1 hears of the applications of 2, which may stand still, and of 3, which
// is idle all the time.
class StandstillTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    for (int id : {1, 2, 3}) Make(id);
  }

  // No peer is down because it is silent.
  void Make(int id) {
    Config config;
    config.cluster = "standstill-test";
    config.transport = GetParam();
    config.linger = absl::ZeroDuration();
    config.peer_timeout = absl::Minutes(10);
    if (id != 1) config.application_timeout = absl::Milliseconds(200);
    config.servers = {{id, FreshAddress(AddressKind::kIpv4)}};
    auto server = NewServer(id, config);
    ASSERT_TRUE(server.ok()) << server.status();
    servers_.push_back(*std::move(server));
  }

  void Start() {
    one().OnPeerEvent([sink = log_.Sink()](const PeerEvent& event) {
      sink(event.peer, event);
    });
    for (auto& server : servers_) ASSERT_TRUE(server->Start().ok());
    for (auto& server : servers_) {
      for (auto& peer : servers_) {
        if (peer == server) continue;
        ASSERT_TRUE(server->AddPeer(peer->Pid(), peer->Address()).ok());
      }
    }
    for (int id : {2, 3})
      ASSERT_TRUE(log_.WaitForPeer(id, id, PeerEvent::kUp)) << id;
  }

  void TearDown() override {
    gate_.Open();
    for (auto& server : servers_) server->Stop();
    for (const auto& [peer, event] : log_.Entries()) {
      if (event.type != PeerEvent::kDown) continue;
      EXPECT_EQ(event.reason, kStandsStill);
      EXPECT_EQ(peer, 2);
    }
    for (const PeerStats& peer : one().Stats().peers) {
      EXPECT_EQ(peer.sessions, 1u);
      EXPECT_EQ(peer.Refused(RefusalReason::kMalformed), 0u);
    }
    EXPECT_GT(two().Stats().application_stalls, 0u);
    EXPECT_EQ(servers_[2]->Stats().application_stalls, 0u);
  }

  bool WaitForStandstill() {
    return log_.WaitFor(2, PeerEvent::kDown, kStandsStill);
  }
  bool WaitUntilItGoesOn() { return log_.WaitFor(2, PeerEvent::kUp, kGoesOn); }

  Server& one() { return *servers_[0]; }
  Server& two() { return *servers_[1]; }

  Gate gate_;
  EventLog log_;
  std::vector<std::unique_ptr<Server>> servers_;
};

TEST_P(StandstillTest, AnEnvelopeThatWaitsIsStandstill) {
  Start();
  ASSERT_TRUE(one().Send(To(2)).ok());
  ASSERT_TRUE(WaitForStandstill());
  SendOptions options;
  options.only_if_up = true;
  EXPECT_EQ(one().Send(To(2), options).code(), absl::StatusCode::kUnavailable);
  // Its library lives: what is sent arrives.
  ASSERT_TRUE(one().Send(To(2)).ok());
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(two().Receive(kPatience).ok());
  EXPECT_TRUE(WaitUntilItGoesOn());
  EXPECT_TRUE(one().Flush(kPatience).ok());
}

TEST_P(StandstillTest, AnEnvelopeToItselfCounts) {
  Start();
  ASSERT_TRUE(two().Send(To(2)).ok());
  ASSERT_TRUE(WaitForStandstill());
  EXPECT_TRUE(two().Receive(kPatience).ok());
  EXPECT_TRUE(WaitUntilItGoesOn());
}

TEST_P(StandstillTest, AHandlerThatHangsIsStandstill) {
  two().OnEnvelope([&](const EnvelopeView&) { gate_.Pass(); });
  Start();
  ASSERT_TRUE(one().Send(To(2)).ok());
  EXPECT_TRUE(WaitForStandstill());
  gate_.Open();
  EXPECT_TRUE(WaitUntilItGoesOn());
}

TEST_P(StandstillTest, AHandlerOfEventsThatHangsIsStandstill) {
  two().OnPeerEvent([&](const PeerEvent&) { gate_.Pass(); });
  Start();
  EXPECT_TRUE(WaitForStandstill());
  gate_.Open();
  EXPECT_TRUE(WaitUntilItGoesOn());
}

// Though it is idle.
TEST_P(StandstillTest, OneThatRenewsStandsStillWhenItDoesNot) {
  two().Renew();
  Start();
  EXPECT_TRUE(WaitForStandstill());
  two().Renew();
  EXPECT_TRUE(WaitUntilItGoesOn());
}

INSTANTIATE_TEST_SUITE_P(Backends, StandstillTest,
                         testing::ValuesIn(AllTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
