// A newcomer that knows nobody joins a cluster, over each backend, in plaintext and
// secured: its handler admits the server that greets it.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "cluster/base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/event_log.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Duration kPatience = absl::Seconds(60);

Envelope To(int pid, const std::string& payload) {
  Envelope envelope;
  envelope.pid = pid;
  envelope.payload = payload;
  return envelope;
}

class JoiningTest : public testing::TestWithParam<const char*> {
 protected:
  JoiningTest() : cluster_(Spec()) {}

  // Server 3 is the newcomer: nobody knows it, and it knows nobody.
  void SetUp() override {
    ASSERT_TRUE(cluster_.Start());
    ASSERT_TRUE(log_.WaitUntilAllUp({1, 2, 3}));
    for (int id : {1, 2}) {
      ASSERT_TRUE(cluster_.server(3).RemovePeer(id).ok());
      ASSERT_TRUE(cluster_.server(id).RemovePeer(3).ok());
    }
  }

  ClusterSpec Spec() {
    absl::string_view transport = GetParam();
    ClusterSpec spec;
    spec.secured = absl::ConsumePrefix(&transport, "secured_");
    spec.config.transport = std::string(transport);
    spec.config.linger = absl::ZeroDuration();
    spec.ids = FirstIds(3);
    spec.consumption = [](int) { return Consumption::kHandler; };
    spec.on_envelope = [this](int receiver, const EnvelopeView& envelope) {
      MutexLock lock(&mutex_);
      absl::StrAppend(&taken_, receiver, ":", std::string(envelope.payload),
                      " ");
      changed_.NotifyAll();
    };
    spec.on_event = log_.Sink();
    spec.make_server = [this, secured = spec.secured](int id,
                                                      const Config& config) {
      absl::StatusOr<std::unique_ptr<Server>> server = NewServer(id, config);
      if (id == 3 && server.ok()) {
        (*server)->OnStranger([this, secured, newcomer = server->get()](
                                  const Stranger& stranger) {
          MutexLock lock(&mutex_);
          ++strangers_;
          changed_.NotifyAll();
          if (!admits_) return;
          EXPECT_EQ(stranger.identity.has_value(), secured);
          if (secured) {
            EXPECT_EQ(*stranger.identity, stranger.id);
          }
          lock.Unlock();
          const absl::Status added =
              newcomer->AddPeer(stranger.id, stranger.address);
          EXPECT_TRUE(added.ok()) << added;
        });
      }
      return server;
    };
    return spec;
  }

  void Admit() {
    MutexLock lock(&mutex_);
    admits_ = true;
  }
  template <typename Condition>
  void WaitUntil(Condition condition) {
    MutexLock lock(&mutex_);
    changed_.WaitFor(&mutex_, std::chrono::seconds(60), [&] {
      mutex_.AssertHeld();
      return condition();
    });
  }

  EventLog log_;
  Mutex mutex_;
  CondVar changed_;
  bool admits_ CLUSTER_GUARDED_BY(mutex_) = false;
  int strangers_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::string taken_ CLUSTER_GUARDED_BY(mutex_);
  TestCluster cluster_;
};

TEST_P(JoiningTest, ANewcomerThatAdmitsItsLeaderConverges) {
  Admit();
  Server& leader = cluster_.server(1);
  Server& newcomer = cluster_.server(3);
  ASSERT_THAT(newcomer.Peers(), IsEmpty());
  ASSERT_TRUE(leader.AddPeer(3, cluster_.address(3)).ok());
  ASSERT_TRUE(leader.Send(To(3, "entries")).ok());
  const absl::Status flushed = leader.Flush(3, kPatience);
  ASSERT_TRUE(flushed.ok()) << flushed;
  EXPECT_THAT(newcomer.Peers(), ElementsAre(1));
  ASSERT_TRUE(newcomer.Send(To(1, "answer")).ok());
  ASSERT_TRUE(newcomer.Flush(1, kPatience).ok());
  MutexLock lock(&mutex_);
  EXPECT_EQ(taken_, "3:entries 1:answer ");
}

TEST_P(JoiningTest, OneThatIsNotAdmittedIsNotDialled) {
  ASSERT_TRUE(cluster_.server(1).AddPeer(3, cluster_.address(3)).ok());
  ASSERT_TRUE(cluster_.server(1).Send(To(3, "x")).ok());
  WaitUntil([this] {
    mutex_.AssertHeld();
    return strangers_ > 0;
  });
  EXPECT_THAT(cluster_.server(3).Peers(), IsEmpty());
  EXPECT_EQ(cluster_.server(1).Stats().Peer(3)->acknowledged, 0u);
  // The handler has the event, and not OnPeerEvent.
  for (const EventLog::Entry& entry : log_.Entries())
    EXPECT_FALSE(entry.first == 3 && entry.second.type == PeerEvent::kStranger);
}

INSTANTIATE_TEST_SUITE_P(Backends, JoiningTest,
                         testing::ValuesIn(With(AllTransports(),
                                                SecuredTransports())),
                         TransportName);

}  // namespace
}  // namespace cluster::internal
