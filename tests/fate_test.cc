// Fates of envelopes over each backend: OnFate hears each once, and the truth.

#include <algorithm>
#include <chrono>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cluster/base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/event_log.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr absl::Duration kPatience = absl::Seconds(60);

Envelope To(int pid) {
  Envelope envelope;
  envelope.pid = pid;
  envelope.payload = "x";
  return envelope;
}

std::string Text(const Fate& fate) {
  std::ostringstream text;
  text << fate;
  return text.str();
}

// The fates of server 1.
class FateTest : public testing::TestWithParam<const char*> {
 protected:
  FateTest() : cluster_(Spec()) { reported_.report_fate = true; }

  void SetUp() override {
    ASSERT_TRUE(cluster_.Start());
    ASSERT_TRUE(log_.WaitUntilAllUp({1, 2, 3}));
  }

  ClusterSpec Spec() {
    ClusterSpec spec;
    spec.config.transport = GetParam();
    spec.ids = FirstIds(3);
    spec.on_envelope = [](int, const EnvelopeView&) {};
    spec.on_event = log_.Sink();
    spec.make_server = [this](int id, const Config& config) {
      absl::StatusOr<std::unique_ptr<Server>> server = NewServer(id, config);
      if (id == 1 && server.ok()) {
        (*server)->OnFate([this](const Fate& fate) {
          MutexLock lock(&mutex_);
          fates_.push_back(fate);
          changed_.NotifyAll();
        });
      }
      return server;
    };
    return spec;
  }

  void EndThree() {
    cluster_.Destroy(3);
    ASSERT_TRUE(log_.WaitForPeer(1, 3, PeerEvent::kDown));
  }

  Server& server() { return cluster_.server(1); }

  // Waits for so many, and takes them: "2 ok", "3 expired".
  std::vector<std::string> Fates(std::size_t count, MessageId id) {
    MutexLock lock(&mutex_);
    changed_.WaitFor(&mutex_, std::chrono::seconds(60), [&] {
      mutex_.AssertHeld();
      return fates_.size() >= count;
    });
    std::vector<std::string> texts;
    for (const Fate& fate : fates_) {
      EXPECT_EQ(fate.message_id, id) << Text(fate);
      texts.push_back(
          std::to_string(fate.pid) + " " +
          (fate.acknowledged() ? "ok" : DropReasonName(*fate.dropped)));
    }
    fates_.clear();
    return texts;
  }

  EventLog log_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<Fate> fates_ CLUSTER_GUARDED_BY(mutex_);
  SendOptions reported_;
  TestCluster cluster_;
};

TEST_P(FateTest, AnAcknowledgedOneIsTold) {
  for (int pid : {1, 2, 3}) {
    ASSERT_TRUE(server().Send(To(pid)).ok());  // nobody asks for its fate
    const auto id = server().SendWithId(To(pid), reported_);
    ASSERT_TRUE(id.ok()) << id.status();
    ASSERT_TRUE(server().Send(To(pid)).ok());
    EXPECT_THAT(Fates(1, *id), ElementsAre(std::to_string(pid) + " ok"));
  }
  Envelope large = To(2);
  large.payload.resize(3u << 20);
  const auto id = server().SendWithId(large, reported_);
  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_THAT(Fates(1, *id), ElementsAre("2 ok"));
}

TEST_P(FateTest, EachRecipientHasOne) {
  const auto all = server().SendWithId(To(kBroadcast), reported_);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_THAT(Fates(2, *all), UnorderedElementsAre("2 ok", "3 ok"));
  const MulticastResult some = server().Multicast({1, 3}, To(0), reported_);
  ASSERT_TRUE(some.ok()) << some.status;
  EXPECT_THAT(Fates(2, some.message_id), UnorderedElementsAre("1 ok", "3 ok"));
  ASSERT_TRUE(server().Flush(kPatience).ok());
  EXPECT_THAT(Fates(0, MessageId()), IsEmpty());
}

TEST_P(FateTest, ADroppedOneIsToldWithItsReason) {
  EndThree();
  SendOptions options = reported_;
  options.expires_after = absl::Milliseconds(20);
  const auto brief = server().SendWithId(To(3), options);
  ASSERT_TRUE(brief.ok()) << brief.status();
  EXPECT_THAT(Fates(1, *brief), ElementsAre("3 expired"));

  options = reported_;
  options.replaces = 1;
  const auto older = server().SendWithId(To(3), options);
  const auto newer = server().SendWithId(To(3), options);
  ASSERT_TRUE(older.ok() && newer.ok());
  EXPECT_THAT(Fates(1, *older), ElementsAre("3 superseded"));

  options.only_if_up = true;  // it is not accepted, and has none
  EXPECT_EQ(server().Send(To(3), options).code(),
            absl::StatusCode::kUnavailable);
  ASSERT_TRUE(server().RemovePeer(3).ok());
  EXPECT_THAT(Fates(1, *newer), ElementsAre("3 removed"));
  EXPECT_THAT(BalanceProblems(1, server().Stats()), IsEmpty());
}

TEST_P(FateTest, OneForAPeerThatReturnsIsAcknowledged) {
  EndThree();
  const auto id = server().SendWithId(To(3), reported_);
  ASSERT_TRUE(id.ok()) << id.status();
  ASSERT_TRUE(cluster_.Restart(3));
  EXPECT_THAT(Fates(1, *id), ElementsAre("3 ok"));
}

TEST_P(FateTest, NeedsAHandler) {
  const absl::Status status = cluster_.server(2).Send(To(1), reported_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("OnFate"));
}

TEST_P(FateTest, StopTellsNone) {
  EndThree();
  ASSERT_TRUE(server().Send(To(3), reported_).ok());
  cluster_.Stop(1);
  EXPECT_THAT(Fates(0, MessageId()), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Backends, FateTest, testing::ValuesIn(AllTransports()),
                         TransportName);

TEST(Fate, IsOneLineOfText) {
  Fate fate;
  fate.message_id = {7, 3};
  fate.pid = 2;
  EXPECT_EQ(Text(fate), "envelope 7-3 to server 2: acknowledged");
  fate.dropped = DropReason::kPeerRestart;
  EXPECT_EQ(Text(fate), "envelope 7-3 to server 2: dropped (peer restart)");
}

}  // namespace
}  // namespace cluster::internal
