// Requests and answers over each backend: each call ends once, with an answer or
// with a reason.

#include "cluster/caller.h"

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cluster/base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/event_log.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kPatience = absl::Seconds(60);

Envelope Of(const std::string& payload) {
  Envelope envelope;
  envelope.payload = payload;
  return envelope;
}

// The ends of calls, to wait for.
class Ends {
 public:
  Caller::Callback Sink() {
    return [this](const absl::StatusOr<EnvelopeView>& answer) {
      MutexLock lock(&mutex_);
      texts_.push_back(answer.ok()
                           ? absl::StrCat("ok ", std::string(answer->payload))
                           : answer.status().ToString());
      changed_.NotifyAll();
    };
  }
  // Waits for so many in all, and returns them.
  std::vector<std::string> Wait(std::size_t count) {
    MutexLock lock(&mutex_);
    changed_.WaitFor(&mutex_, std::chrono::seconds(60), [&] {
      mutex_.AssertHeld();
      return texts_.size() >= count;
    });
    return texts_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> texts_ CLUSTER_GUARDED_BY(mutex_);
};

// Each server has a Caller. Server 3 answers when the test lets it.
class CallerTest : public testing::TestWithParam<const char*> {
 protected:
  CallerTest() : cluster_(Spec()) {}

  void SetUp() override {
    ASSERT_TRUE(cluster_.Start());
    ASSERT_TRUE(log_.WaitUntilAllUp({1, 2, 3}));
  }

  void TearDown() override {
    Release();
    cluster_.StopAll();
    callers_.clear();
  }

  ClusterSpec Spec() {
    ClusterSpec spec;
    spec.config.transport = GetParam();
    spec.config.queue_bytes_max = 256u << 10;
    spec.config.window_bytes = 128u << 10;
    spec.config.frame_bytes = 4096;
    spec.config.inflight_bytes = 64u << 10;
    spec.config.answer_bytes_reserved = 128u << 10;
    spec.config.linger = absl::ZeroDuration();
    spec.ids = FirstIds(3);
    spec.consumption = [](int) { return Consumption::kHandler; };
    spec.make_server = [this](int id, const Config& config) {
      absl::StatusOr<std::unique_ptr<Server>> server = NewServer(id, config);
      if (server.ok()) callers_[id] = std::make_unique<Caller>(server->get());
      return server;
    };
    spec.on_envelope = [this](int receiver, const EnvelopeView& envelope) {
      OnEnvelope(receiver, envelope);
    };
    spec.on_event = [this, sink = log_.Sink()](int observer,
                                               const PeerEvent& event) {
      callers_.at(observer)->OnPeerEvent(event);
      sink(observer, event);
    };
    return spec;
  }

  void OnEnvelope(int receiver, const EnvelopeView& envelope) {
    Caller& caller = *callers_.at(receiver);
    if (caller.OnEnvelope(envelope)) return;
    if (receiver == 3) {
      MutexLock lock(&mutex_);
      ++reached_;
      changed_.NotifyAll();
      while (held_) changed_.Wait(&mutex_);
    }
    if (envelope.correlation == 0) return;  // to fill the queue
    const absl::Status answered = caller.Answer(
        envelope, Of(absl::StrCat(std::string(envelope.payload), "!")));
    EXPECT_TRUE(answered.ok()) << answered;
  }

  // Server 3's handler stays in its next call until Release.
  void Hold() {
    MutexLock lock(&mutex_);
    held_ = true;
    reached_ = 0;
  }
  void WaitUntilHeld() {
    MutexLock lock(&mutex_);
    changed_.WaitFor(&mutex_, std::chrono::seconds(60), [&] {
      mutex_.AssertHeld();
      return reached_ > 0;
    });
  }
  void Release() {
    MutexLock lock(&mutex_);
    held_ = false;
    changed_.NotifyAll();
  }

  // Until nothing more leaves for server 3, and its queue is full.
  void FillThree() {
    Envelope filler = Of(std::string(3000, 'f'));
    filler.pid = 3;
    while (server().Send(filler, absl::Seconds(1)).ok()) {
    }
  }

  Server& server() { return cluster_.server(1); }
  Caller& caller(int id = 1) { return *callers_.at(id); }

  EventLog log_;
  Mutex mutex_;
  CondVar changed_;
  bool held_ CLUSTER_GUARDED_BY(mutex_) = false;
  int reached_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::map<int, std::unique_ptr<Caller>> callers_;
  TestCluster cluster_;
};

TEST_P(CallerTest, EachCallGetsItsOwnAnswer) {
  constexpr int kCalls = 500;
  Ends ends;
  std::atomic<int> right{0};
  for (int i = 0; i < kCalls; ++i) {
    const std::string text = absl::StrCat("call ", i);
    const auto call = caller().Call(
        1 + i % 3, Of(text), kPatience,
        [&, text, sink = ends.Sink()](const auto& answer) {
          if (answer.ok() && std::string(answer->payload) == text + "!")
            ++right;
          sink(answer);
        });
    ASSERT_TRUE(call.ok()) << call.status();
  }
  EXPECT_THAT(ends.Wait(kCalls), SizeIs(kCalls));
  EXPECT_EQ(right, kCalls);
  const CallerStats stats = caller().Stats();
  EXPECT_EQ(stats.calls, static_cast<std::uint64_t>(kCalls));
  EXPECT_EQ(stats.answered, static_cast<std::uint64_t>(kCalls));
  EXPECT_EQ(stats.failed + stats.late_answers + stats.waiting, 0u);
}

TEST_P(CallerTest, ACallToAPeerThatIsDownFailsAtOnce) {
  cluster_.Destroy(3);
  ASSERT_TRUE(log_.WaitForPeer(1, 3, PeerEvent::kDown));
  Ends ends;
  EXPECT_EQ(caller().Call(3, Of("x"), kPatience, ends.Sink()).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(caller().Call(9, Of("x"), kPatience, ends.Sink()).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(caller()
                .Call(kBroadcast, Of("x"), kPatience, ends.Sink())
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(caller()
                .Call(2, Of("x"), absl::ZeroDuration(), ends.Sink())
                .status()
                .code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(ends.Wait(0), IsEmpty());
  EXPECT_EQ(caller().Stats().calls, 0u);
}

TEST_P(CallerTest, CallsInProgressFailWhenTheirPeerGoes) {
  Hold();
  Ends ends;
  ASSERT_TRUE(caller().Call(3, Of("x"), kPatience, ends.Sink()).ok());
  WaitUntilHeld();
  ASSERT_TRUE(server().RemovePeer(3).ok());
  EXPECT_THAT(ends.Wait(1),
              ElementsAre(AllOf(HasSubstr("UNKNOWN"),
                                HasSubstr("the request may have run"))));
  // Others go on.
  ASSERT_TRUE(caller().Call(2, Of("y"), kPatience, ends.Sink()).ok());
  EXPECT_THAT(ends.Wait(2), testing::Contains("ok y!"));
}

TEST_P(CallerTest, ADeadlineEndsACallAndALateAnswerIsCounted) {
  Hold();
  Ends ends;
  ASSERT_TRUE(
      caller().Call(3, Of("x"), absl::Milliseconds(50), ends.Sink()).ok());
  // The handler may be reached only later, or not at all if it is slow to leave.
  EXPECT_THAT(ends.Wait(1), ElementsAre(HasSubstr("DEADLINE_EXCEEDED")));
  ASSERT_TRUE(caller().Call(3, Of("y"), kPatience, ends.Sink()).ok());
  WaitUntilHeld();
  Release();
  EXPECT_THAT(ends.Wait(2), testing::Contains("ok y!"));
  const CallerStats stats = caller().Stats();
  EXPECT_LE(stats.late_answers, 1u);
  EXPECT_EQ(stats.failed, 1u);
  EXPECT_EQ(stats.answered, 1u);
}

TEST_P(CallerTest, ACancelledCallIsWithdrawnIfItNeverLeft) {
  Hold();
  Ends ends;
  const auto left = caller().Call(3, Of("left"), kPatience, ends.Sink());
  ASSERT_TRUE(left.ok()) << left.status();
  WaitUntilHeld();
  FillThree();
  // In the urgent lane there is room, in the window too little.
  Envelope waits = Of(std::string(20000, 'w'));
  waits.lane = Lane::kBulk;
  while (true) {
    const auto call = caller().Call(3, waits, kPatience, ends.Sink());
    if (call.ok()) {
      ASSERT_TRUE(caller().Cancel(*call));
      EXPECT_FALSE(caller().Cancel(*call));
      break;
    }
    // Make room: the queue holds back only what it must.
    ASSERT_EQ(call.status().code(), absl::StatusCode::kResourceExhausted);
    waits.payload.resize(waits.payload.size() / 2);
    ASSERT_FALSE(waits.payload.empty());
    waits.lane = Lane::kNormal;
  }
  EXPECT_THAT(ends.Wait(1),
              ElementsAre(AllOf(HasSubstr("CANCELLED"),
                                HasSubstr("withdrawn before it was sent"))));
  EXPECT_EQ(server().Stats().Peer(3)->Dropped(DropReason::kWithdrawn), 1u);
  ASSERT_TRUE(caller().Cancel(*left));
  EXPECT_THAT(ends.Wait(2), testing::Contains(HasSubstr("may have run")));
}

TEST_P(CallerTest, AnswersHaveRoomInAFullQueue) {
  Hold();
  Envelope first = Of("hold");
  first.pid = 3;
  ASSERT_TRUE(server().Send(first).ok());
  WaitUntilHeld();
  FillThree();
  Envelope plain = Of(std::string(3000, 'p'));
  plain.pid = 3;
  EXPECT_EQ(server().Send(plain).code(), absl::StatusCode::kResourceExhausted);
  Envelope request;
  request.sender_id = 3;
  request.correlation = 77;
  int answers = 0;
  absl::Status status;
  while ((status = caller().Answer(request, plain)).ok()) ++answers;
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_GT(answers, 20);  // of 128 KiB
  EXPECT_LT(answers, 60);
  EXPECT_EQ(caller().Answer(Of("no request"), plain).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(CallerTest, CallsAreBoundedAndEndWithTheirCaller) {
  Hold();
  Ends ends;
  auto few = std::make_unique<Caller>(&server(), 2);
  ASSERT_TRUE(few->Call(3, Of("1"), kPatience, ends.Sink()).ok());
  ASSERT_TRUE(
      few->Call(3, Of("2"), absl::InfiniteDuration(), ends.Sink()).ok());
  EXPECT_EQ(few->Call(3, Of("3"), kPatience, ends.Sink()).status().code(),
            absl::StatusCode::kResourceExhausted);
  few.reset();
  const std::vector<std::string> texts = ends.Wait(2);
  EXPECT_THAT(texts, SizeIs(2));
  EXPECT_THAT(texts, Each(HasSubstr("CANCELLED")));
}

INSTANTIATE_TEST_SUITE_P(Backends, CallerTest,
                         testing::ValuesIn(AllTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
