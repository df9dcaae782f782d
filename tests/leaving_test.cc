// Members that leave, and members that move, over each backend.

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cluster/base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/event_log.h"
#include "tests/harness/fresh_address.h"
#include "tests/harness/tcp_proxy.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr absl::Duration kPatience = absl::Seconds(60);

Envelope To(int pid) {
  Envelope envelope;
  envelope.pid = pid;
  envelope.payload = "x";
  return envelope;
}

// Server 1 sends to server 2, whose handler stays in a call while the test holds
// it.
class LeavingTest : public testing::TestWithParam<const char*> {
 protected:
  LeavingTest() : cluster_(Spec()) {}

  void SetUp() override {
    ASSERT_TRUE(cluster_.Start());
    ASSERT_TRUE(log_.WaitUntilAllUp({1, 2}));
  }
  void TearDown() override { Release(); }

  ClusterSpec Spec() {
    ClusterSpec spec;
    spec.config.transport = GetParam();
    spec.config.linger = absl::ZeroDuration();
    spec.ids = FirstIds(2);
    spec.consumption = [](int) { return Consumption::kHandler; };
    spec.on_envelope = [this](int receiver, const EnvelopeView&) {
      if (receiver == 1) {
        in_callback_ = server().RemovePeer(2, kPatience);
        called_.set_value();
        return;
      }
      MutexLock lock(&mutex_);
      ++handled_;
      changed_.NotifyAll();
      while (held_) changed_.Wait(&mutex_);
    };
    spec.on_event = log_.Sink();
    return spec;
  }

  void Hold() {
    MutexLock lock(&mutex_);
    held_ = true;
  }
  void Release() {
    MutexLock lock(&mutex_);
    held_ = false;
    changed_.NotifyAll();
  }
  int Handled() {
    MutexLock lock(&mutex_);
    return handled_;
  }
  void WaitHandled(int count) {
    MutexLock lock(&mutex_);
    changed_.WaitFor(&mutex_, std::chrono::seconds(60), [&] {
      mutex_.AssertHeld();
      return handled_ >= count;
    });
  }
  Server& server() { return cluster_.server(1); }

  EventLog log_;
  Mutex mutex_;
  CondVar changed_;
  bool held_ CLUSTER_GUARDED_BY(mutex_) = false;
  int handled_ CLUSTER_GUARDED_BY(mutex_) = 0;
  absl::Status in_callback_;
  std::promise<void> called_;
  TestCluster cluster_;
};

TEST_P(LeavingTest, AMemberGetsAllBeforeItIsRemoved) {
  constexpr int kEnvelopes = 100;
  Hold();
  for (int i = 0; i < kEnvelopes; ++i) ASSERT_TRUE(server().Send(To(2)).ok());
  WaitHandled(1);
  std::future<absl::Status> removed = std::async(
      std::launch::async, [&] { return server().RemovePeer(2, kPatience); });
  // From the call on.
  while (server().Send(To(2)).ok()) {
  }
  EXPECT_EQ(server().Send(To(2)).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(server().Peers(), IsEmpty());
  EXPECT_EQ(server().AddPeer(2, cluster_.address(2)).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(server().RemovePeer(2).code(), absl::StatusCode::kNotFound);
  Release();
  const absl::Status status = removed.get();
  EXPECT_TRUE(status.ok()) << status;
  const PeerStats gone = *server().Stats().Peer(2);
  EXPECT_GE(gone.accepted, static_cast<std::uint64_t>(kEnvelopes));
  EXPECT_EQ(gone.acknowledged, gone.accepted);
  EXPECT_EQ(static_cast<std::uint64_t>(Handled()), gone.accepted);
  EXPECT_TRUE(log_.WaitFor(2, PeerEvent::kDown, "removed by server 1"));
  EXPECT_TRUE(server().AddPeer(2, cluster_.address(2)).ok());
}

TEST_P(LeavingTest, TheRestIsDroppedAfterTheTime) {
  Hold();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(server().Send(To(2)).ok());
  WaitHandled(1);
  const absl::Status status = server().RemovePeer(2, absl::Milliseconds(20));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(server().Send(To(2)).code(), absl::StatusCode::kNotFound);
  const PeerStats gone = *server().Stats().Peer(2);
  EXPECT_EQ(gone.accepted, 10u);
  EXPECT_GE(gone.Dropped(DropReason::kRemoved), 1u);
  EXPECT_THAT(BalanceProblems(1, server().Stats()), IsEmpty());
}

TEST_P(LeavingTest, ACallbackDoesNotWait) {
  ASSERT_TRUE(cluster_.server(2).Send(To(1)).ok());
  called_.get_future().wait();
  EXPECT_EQ(in_callback_.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(server().Send(To(2)).ok());
}

TEST_P(LeavingTest, StopEndsTheWait) {
  Hold();
  ASSERT_TRUE(server().Send(To(2)).ok());
  WaitHandled(1);
  std::future<absl::Status> removed = std::async(
      std::launch::async, [&] { return server().RemovePeer(2, kPatience); });
  while (server().Send(To(2)).ok()) {
  }
  cluster_.Stop(1);
  EXPECT_EQ(removed.get().code(), absl::StatusCode::kCancelled);
}

TEST_P(LeavingTest, AMemberThatMovedGetsItsQueue) {
  const std::string old = cluster_.address(2);
  cluster_.Destroy(2);
  ASSERT_TRUE(log_.WaitFor(1, PeerEvent::kDown, ""));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(server().Send(To(2)).ok());
  const int before = Handled();
  Config config = cluster_.ConfigOf(2);
  for (ServerAddress& member : config.servers) {
    member.address = member.id == 2 ? FreshAddress(AddressKind::kIpv4)
                                    : cluster_.address(member.id);
  }
  auto moved = NewServer(2, config);
  ASSERT_TRUE(moved.ok()) << moved.status();
  (*moved)->OnEnvelope([this](const EnvelopeView&) {
    MutexLock lock(&mutex_);
    ++handled_;
    changed_.NotifyAll();
  });
  ASSERT_TRUE((*moved)->Start().ok());
  EXPECT_EQ(server().UpdatePeer(9, old).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(server().UpdatePeer(2, "").code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(server().UpdatePeer(2, server().Address()).code(),
            absl::StatusCode::kInvalidArgument);
  const absl::Status updated = server().UpdatePeer(2, (*moved)->Address());
  ASSERT_TRUE(updated.ok()) << updated;
  WaitHandled(before + 10);
  EXPECT_EQ(Handled(), before + 10);
  EXPECT_TRUE(server().Flush(kPatience).ok());
  EXPECT_TRUE((*moved)->Send(To(1)).ok());
  (*moved)->Stop();
}

INSTANTIATE_TEST_SUITE_P(Backends, LeavingTest,
                         testing::ValuesIn(AllTransports()), TransportName);

class MovingTest : public LeavingTest {};

// The same process answers there.
TEST_P(MovingTest, ASessionSurvivesANewAddressOfTheSameProcess) {
  ASSERT_TRUE(server().Send(To(2)).ok());
  ASSERT_TRUE(server().Flush(kPatience).ok());
  const TcpProxy proxy(cluster_.address(2));
  const absl::Status updated = server().UpdatePeer(2, proxy.address());
  ASSERT_TRUE(updated.ok()) << updated;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(server().Send(To(2)).ok());
  ASSERT_TRUE(server().Flush(kPatience).ok());
  const PeerStats stats = *server().Stats().Peer(2);
  EXPECT_EQ(stats.sessions, 1u);
  EXPECT_EQ(stats.acknowledged, 11u);
  EXPECT_EQ(Handled(), 11);
  cluster_.StopAll();  // before the proxy
}

INSTANTIATE_TEST_SUITE_P(Backends, MovingTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
