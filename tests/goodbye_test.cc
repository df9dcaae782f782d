// Goodbyes and refusals: a peer learns at once that it was removed or refused,
// or that the other server stopped. Over each backend, plain and secured.

#include <chrono>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "cluster/base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

constexpr int kSpeaker = 1;
constexpr int kHearer = 2;

// The events of one server about the other.
class Told {
 public:
  void Add(const PeerEvent& event) {
    MutexLock lock(&mutex_);
    events_.push_back(event);
    changed_.NotifyAll();
  }

  // The reason of the first event that contains `text`; "" if none comes.
  std::string WaitForText(const std::string& text) {
    MutexLock lock(&mutex_);
    std::string reason;
    changed_.WaitFor(&mutex_, std::chrono::seconds(30), [&] {
      for (const PeerEvent& event : events_) {
        if (event.reason.find(text) == std::string::npos) continue;
        reason = event.reason;
        return true;
      }
      return false;
    });
    return reason;
  }

  // The reason of the `count`-th event of that type; "" if it does not come.
  std::string Wait(PeerEvent::Type type, int count) {
    MutexLock lock(&mutex_);
    std::string reason;
    changed_.WaitFor(&mutex_, std::chrono::seconds(30), [&] {
      int seen = 0;
      for (const PeerEvent& event : events_) {
        if (event.type != type || ++seen != count) continue;
        reason = event.reason;
        return true;
      }
      return false;
    });
    return reason;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<PeerEvent> events_;
};

class GoodbyeTest
    : public testing::TestWithParam<std::tuple<const char*, bool>> {
 protected:
  void SetUp() override {
    for (int id : {kSpeaker, kHearer}) told_[id];
  }

  ClusterSpec Spec() {
    ClusterSpec spec;
    spec.config.transport = std::get<0>(GetParam());
    spec.secured = std::get<1>(GetParam());
    // No peer is down because it is silent.
    spec.config.peer_timeout = absl::Minutes(10);
    spec.config.linger = absl::ZeroDuration();
    spec.ids = {kSpeaker, kHearer};
    spec.on_envelope = [](int, const EnvelopeView&) {};
    spec.on_event = [this](int observer, const PeerEvent& event) {
      told_.at(observer).Add(event);
    };
    return spec;
  }

  // Waits until both are up for the `count`-th time. A session begins at one
  // end first; the other end could not yet say goodbye in it.
  bool WaitForSession(int count) {
    return told_[kSpeaker].Wait(PeerEvent::kUp, count) != "" &&
           told_[kHearer].Wait(PeerEvent::kUp, count) != "";
  }

  std::map<int, Told> told_;
};

TEST_P(GoodbyeTest, AServerThatIsRemovedLearnsIt) {
  TestCluster cluster(Spec());
  ASSERT_TRUE(cluster.Start());
  for (int round = 1; round <= 5; ++round) {
    ASSERT_TRUE(WaitForSession(round)) << round;
    // An envelope on its way does not delay the goodbye.
    Envelope envelope;
    envelope.pid = kHearer;
    envelope.payload.assign(100000, 'x');
    for (int i = 0; i < 10; ++i)
      ASSERT_TRUE(cluster.server(kSpeaker).Send(envelope).ok());
    ASSERT_TRUE(cluster.server(kSpeaker).RemovePeer(kHearer).ok());
    // A new session ends the last one with another reason.
    ASSERT_EQ(told_[kHearer].Wait(PeerEvent::kDown, round),
              "removed by server 1");
    ASSERT_TRUE(cluster.server(kSpeaker)
                    .AddPeer(kHearer, cluster.address(kHearer))
                    .ok());
  }
}

TEST_P(GoodbyeTest, AServerThatStopsSaysSo) {
  TestCluster cluster(Spec());
  ASSERT_TRUE(cluster.Start());
  ASSERT_TRUE(WaitForSession(1));
  cluster.Stop(kSpeaker);
  EXPECT_EQ(told_[kHearer].Wait(PeerEvent::kDown, 1), "it stopped");
}

// Unsecured only: keys are made for one cluster.
class RefusalTest : public GoodbyeTest {};

// Each server reports that it is refused, and why.
TEST_P(RefusalTest, ServersOfTwoClustersTellEachOther) {
  ClusterSpec spec = Spec();
  spec.make_server = [](int id, const Config& config) {
    Config other = config;
    if (id == kSpeaker) other.cluster = "another";
    return NewServer(id, other);
  };
  TestCluster cluster(spec);
  ASSERT_TRUE(cluster.Start());
  EXPECT_THAT(
      told_[kHearer].WaitForText("server 1 refuses this server: wrong cluster"),
      testing::HasSubstr("\"another\""));
  EXPECT_NE(told_[kHearer].WaitForText("wrong cluster: server 2 is of"), "");
}

std::string NameOf(
    const testing::TestParamInfo<std::tuple<const char*, bool>>& info) {
  return std::string(std::get<0>(info.param)) +
         (std::get<1>(info.param) ? "Secured" : "");
}

INSTANTIATE_TEST_SUITE_P(Backends, GoodbyeTest,
                         testing::Combine(testing::ValuesIn(SocketTransports()),
                                          testing::Bool()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, RefusalTest,
                         testing::Combine(testing::ValuesIn(SocketTransports()),
                                          testing::Values(false)),
                         NameOf);

}  // namespace
}  // namespace cluster::internal
