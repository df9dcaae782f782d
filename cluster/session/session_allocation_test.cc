// A session whose allocations fail, one after the other. The call has no effect,
// and all accepted envelopes arrive once there is memory again.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/testing/failing_allocations.h"
#include "cluster/session/batch.h"
#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

std::uint64_t DroppedOf(const SessionEnd& end) {
  const PeerStats stats = end.Stats();
  return std::accumulate(stats.dropped.begin(), stats.dropped.end(),
                         std::uint64_t{0});
}

class Trial {
 public:
  explicit Trial(const SessionPair::Change& change) : pair(change) {}

  std::string NewPayload(std::size_t bytes) {
    std::string payload = absl::StrCat(++payloads_, ".");
    payload.resize(std::max(bytes, payload.size()), 'x');
    return payload;
  }
  void Accepted(const Envelope& envelope) {
    accepted_[static_cast<std::size_t>(envelope.lane)].push_back(
        envelope.payload);
  }
  Session& session() { return *pair.one.session; }
  const SessionConfig& config() const { return pair.one.config; }

  std::uint64_t accepted() const {
    std::uint64_t all = 0;
    for (const auto& lane : accepted_) all += lane.size();
    return all;
  }
  // Those of the lane that the other end took, in their order.
  std::vector<std::string> Taken(Lane lane) const {
    std::vector<std::string> taken;
    for (const Envelope& envelope : pair.two.taken) {
      if (envelope.lane == lane) taken.push_back(envelope.payload);
    }
    return taken;
  }
  const std::vector<std::string>& AcceptedOf(Lane lane) const {
    return accepted_[static_cast<std::size_t>(lane)];
  }

  SessionPair pair;

 private:
  int payloads_ = 0;
  std::array<std::vector<std::string>, kLanes> accepted_;
};

// A call under failing allocations, and the checks after it.
struct Attempt {
  std::function<void()> run;
  std::function<void()> done = [] {};
  std::function<void()> undone = [] {};
};
struct Step {
  std::string name;
  std::function<Attempt(Trial*)> attempt;
  bool fails = true;  // its allocations are tried
};

Envelope MakeEnvelope(Trial* trial, Lane lane, std::size_t bytes) {
  Envelope envelope;
  envelope.pid = 2;
  envelope.sender_id = 1;
  envelope.lane = lane;
  envelope.payload = trial->NewPayload(bytes);
  return envelope;
}

Step Append(std::size_t bytes, Lane lane = Lane::kNormal) {
  return {
      absl::StrCat("append ", bytes), [=](Trial* trial) {
        const auto envelope =
            std::make_shared<const Envelope>(MakeEnvelope(trial, lane, bytes));
        const auto taken = std::make_shared<bool>(false);
        Attempt attempt;
        attempt.run = [=] {
          *taken = trial->pair.one.Append(*envelope) == SendOutcome::kAccepted;
        };
        attempt.done = [=] {
          if (*taken) trial->Accepted(*envelope);
        };
        return attempt;
      }};
}

struct Gathered {
  Gathered(Trial* trial, int records, std::size_t bytes)
      : open(trial->config(), Lane::kNormal) {
    for (int i = 0; i < records; ++i) {
      envelopes.push_back(MakeEnvelope(trial, Lane::kNormal, bytes));
      const EnvelopeView view(envelopes.back());
      open.Append(view, trial->config().codec->RecordBytesMax(view));
    }
  }

  OpenBatch open;
  std::vector<Envelope> envelopes;
};

Step AppendShared(int records, std::size_t bytes) {
  return {
      absl::StrCat("append shared ", records, " x ", bytes), [=](Trial* trial) {
        const auto gathered = std::make_shared<Gathered>(trial, records, bytes);
        const EncodeState encode = gathered->open.encode();
        const auto batch = std::make_shared<Batch>(gathered->open.Release());
        Sum(batch.get());
        batch->shared = true;
        Attempt attempt;
        attempt.run = [=] {
          trial->pair.one.queue->AppendShared(*batch, encode);
        };
        attempt.done = [=] {
          for (const Envelope& envelope : gathered->envelopes)
            trial->Accepted(envelope);
        };
        return attempt;
      }};
}

enum class Fate { kArrives, kLost, kRefused };

Step MakeFrame(Fate fate = Fate::kArrives) {
  return {"make a frame", [=](Trial* trial) {
            const auto frame = std::make_shared<Frame>();
            const auto made = std::make_shared<bool>(false);
            Attempt attempt;
            // The frame is still due; a hello after a while.
            attempt.undone = [=] {
              SessionPair& pair = trial->pair;
              if (!trial->session().NextFrame(pair.now, frame.get())) {
                pair.now += kHelloInterval;
                ASSERT_TRUE(trial->session().NextFrame(pair.now, frame.get()));
              }
              pair.two.Hear(BytesOf(*frame));
            };
            attempt.run = [=] {
              *made = trial->session().NextFrame(trial->pair.now, frame.get());
            };
            attempt.done = [=] {
              if (!*made) return;
              if (fate == Fate::kArrives) trial->pair.two.Hear(BytesOf(*frame));
              if (fate == Fate::kRefused) {
                trial->session().FrameNotTaken();
                trial->session().OnWritable();
              }
            };
            return attempt;
          }};
}

Step Do(const std::string& name, const std::function<void(Trial*)>& what) {
  return {name, [=](Trial* trial) { return Attempt{[=] { what(trial); }}; },
          /*fails=*/false};
}

Step Tick() {
  return {"tick", [](Trial* trial) {
            return Attempt{[=] { trial->session().Tick(trial->pair.now); }};
          }};
}

Step Connect() {
  return Do("connect", [](Trial* trial) { trial->pair.Connect(); });
}

Step Answer() {
  return Do("answer", [](Trial* trial) {
    for (const std::string& frame : trial->pair.two.Speak())
      trial->pair.one.Hear(frame);
  });
}

Step Reconnect() {
  return Do("reconnect", [](Trial* trial) {
    trial->session().OnConnected(trial->pair.now);
  });
}

Step Pass(absl::Duration time) {
  return Do("pass", [=](Trial* trial) { trial->pair.now += time; });
}

// The other end acknowledges nothing as consumed.
Step HoldBack() {
  return Do("hold back",
            [](Trial* trial) { trial->pair.two.consumes = false; });
}

// The other end is another process, with which there is a session.
Step NewProcess() {
  return Do("new process", [](Trial* trial) {
    SessionPair& pair = trial->pair;
    const std::uint64_t before = pair.one.session->id();
    pair.two.Restart(7000);
    pair.two.session->OnConnected(pair.now);
    while (pair.one.session->id() == before) {
      for (const std::string& frame : pair.two.Speak()) pair.one.Hear(frame);
      if (pair.one.session->id() != before) return;
      for (const std::string& frame : pair.one.Speak(1)) pair.two.Hear(frame);
      pair.now += absl::Milliseconds(10);
    }
  });
}

struct Script {
  std::string name;
  std::vector<Step> steps;
  SessionPair::Change change = nullptr;
};

// Then all that it lends is allocated.
void EmptyPool(const SessionEnd& end) {
  end.config.buffers->Trim();
  end.config.buffers->Trim();
}

// Takes the step; true if an allocation failed in it.
bool Take(const Step& step, Trial* trial, int nth,
          FailingAllocations::Which which) {
  const Attempt attempt = step.attempt(trial);
  EmptyPool(trial->pair.one);
  bool thrown = false;
  bool failed = false;
  {
    const FailingAllocations failing(nth, which);
    try {
      attempt.run();
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    failed = failing.failed();
  }
  thrown ? attempt.undone() : attempt.done();
  return failed;
}

void ExpectAllArrives(Trial* trial) {
  EXPECT_TRUE(AddsUp(trial->pair.one.Stats()));
  EXPECT_EQ(trial->pair.one.Stats().accepted, trial->accepted());
  trial->pair.two.consumes = true;
  trial->pair.two.Consume();
  if (!trial->pair.two.session->connected()) trial->pair.Connect();
  trial->pair.Exchange();
  trial->pair.Advance(absl::Seconds(4));
  for (Lane lane : kLanesByUrgency)
    EXPECT_EQ(trial->Taken(lane), trial->AcceptedOf(lane)) << LaneName(lane);
  EXPECT_TRUE(trial->session().Drained());
  EXPECT_TRUE(AddsUp(trial->pair.one.Stats()));
}

class SessionAllocationTest : public testing::TestWithParam<Script> {};

// Each allocation of each step in turn; the steps behind it are taken too.
TEST_P(SessionAllocationTest, AFailedAllocationUndoesItsStepAlone) {
  const Script& script = GetParam();
  int failures = 0;
  for (FailingAllocations::Which which :
       {FailingAllocations::kOne, FailingAllocations::kRest}) {
    for (std::size_t at = 0; at < script.steps.size(); ++at) {
      if (!script.steps[at].fails) continue;
      bool failed = true;
      for (int nth = 1; failed; ++nth) {
        SCOPED_TRACE(absl::StrCat(
            "allocation ", nth, " of step ", at, ", ", script.steps[at].name,
            which == FailingAllocations::kRest ? ", and all after it" : ""));
        Trial trial(script.change);
        constexpr int kNone = 0;
        for (std::size_t i = 0; i < script.steps.size(); ++i) {
          const bool fails =
              Take(script.steps[i], &trial, i == at ? nth : kNone, which);
          if (i == at) failed = fails;
          ASSERT_TRUE(AddsUp(trial.pair.one.Stats())) << "after step " << i;
          ASSERT_EQ(trial.pair.one.Stats().accepted, trial.accepted())
              << "after step " << i;
        }
        ExpectAllArrives(&trial);
        if (testing::Test::HasFailure()) return;
        failures += failed ? 1 : 0;
      }
    }
  }
  EXPECT_GT(failures, 0);
}

void LargeFrames(SessionConfig* config) { config->frame_bytes = 16 << 10; }

void DropOldest(SessionConfig* config) {
  config->overflow = Overflow::kDropOldest;
  config->queue_bytes_max = 4 << 10;
}

std::vector<Script> Scripts() {
  std::vector<Script> scripts;
  scripts.push_back({"WithoutASession",
                     {Append(10), Append(300), Append(300), Append(300),
                      Append(300), Append(10, Lane::kUrgent),
                      Append(800, Lane::kBulk), Append(20000, Lane::kBulk)}});
  scripts.push_back({"ManyBatches", {}});
  for (int i = 0; i < 12; ++i) scripts.back().steps.push_back(Append(700));
  scripts.push_back(
      {"Idle",
       {Connect(), Append(10), MakeFrame(), Append(20), MakeFrame(), Append(30),
        MakeFrame(), Answer(), MakeFrame(), MakeFrame()}});
  scripts.push_back({"ABatchBehindItsClock",
                     {Connect(), Append(900), MakeFrame(), Append(10),
                      MakeFrame(), Append(20), Answer(), MakeFrame()}});
  scripts.push_back(
      {"Chunks",
       {Connect(), Append(20000, Lane::kBulk), MakeFrame(), MakeFrame(),
        Append(10, Lane::kUrgent), MakeFrame(), Answer(), MakeFrame(),
        MakeFrame(), Answer(), MakeFrame(), MakeFrame()}});
  // Many small records, which are copied: as a full batch, and as an open one.
  scripts.push_back(
      {"Gathering",
       {Connect(), Append(10), MakeFrame(), Append(10), MakeFrame()}});
  for (int i = 0; i < 13; ++i) scripts.back().steps.push_back(Append(100));
  for (const Step& step : {MakeFrame(), Answer(), MakeFrame(), Append(10)})
    scripts.back().steps.push_back(step);
  scripts.push_back({"Shared",
                     {Connect(), AppendShared(2, 10), Append(10),
                      AppendShared(3, 300), AppendShared(3, 20), MakeFrame(),
                      MakeFrame(), Answer(), MakeFrame(), MakeFrame()}});
  scripts.push_back(
      {"RefusedByTheTransport",
       {Connect(), Append(10), MakeFrame(Fate::kRefused), MakeFrame(),
        Append(5000), MakeFrame(Fate::kRefused), MakeFrame(), MakeFrame()}});
  scripts.push_back({"SentAgain",
                     {Connect(), Append(10), MakeFrame(Fate::kLost), Append(20),
                      MakeFrame(Fate::kLost), Reconnect(), MakeFrame(),
                      MakeFrame(), Append(30), MakeFrame()}});
  scripts.push_back({"Probe",
                     {Connect(), Append(10), MakeFrame(Fate::kLost),
                      Pass(absl::Milliseconds(300)), Tick(), MakeFrame(),
                      Answer(), MakeFrame(), MakeFrame()}});
  scripts.push_back({"Hello",
                     {Append(10), Reconnect(), MakeFrame(Fate::kLost),
                      Pass(absl::Milliseconds(60)), MakeFrame(Fate::kLost)}});
  // The buffer of an open batch is as large as the last one was.
  scripts.push_back(
      {"Roomy",
       {Connect(), Append(4000), MakeFrame(), Append(10), MakeFrame(),
        Append(4000), AppendShared(3, 900), MakeFrame(), Answer(), MakeFrame()},
       LargeFrames});
  scripts.push_back({"SharedJoinsWhatIsOpen",
                     {Connect(), Append(10), AppendShared(3, 500), Append(10),
                      AppendShared(3, 900), MakeFrame(), MakeFrame()},
                     LargeFrames});
  // The chunks of the session before go behind headers of their own.
  scripts.push_back(
      {"ToANewProcess",
       {Connect(), HoldBack(), Append(20000), MakeFrame(), MakeFrame(),
        Append(10), NewProcess(), MakeFrame(), MakeFrame(), MakeFrame(),
        MakeFrame(), Answer(), MakeFrame()}});
  return scripts;
}

INSTANTIATE_TEST_SUITE_P(All, SessionAllocationTest,
                         testing::ValuesIn(Scripts()),
                         [](const testing::TestParamInfo<Script>& info) {
                           return info.param.name;
                         });

// Where the oldest are dropped, none is for an envelope that is not accepted.
TEST(SessionAllocation, NothingIsDroppedForWhatIsNotAccepted) {
  for (std::size_t bytes : {400u, 2000u, 3900u}) {
    bool failed = true;
    int failures = 0;
    for (int nth = 1; failed; ++nth) {
      SCOPED_TRACE(absl::StrCat(bytes, " bytes, allocation ", nth));
      Trial trial(DropOldest);
      const auto take = [&](const Step& step, int n) {
        return Take(step, &trial, n, FailingAllocations::kRest);
      };
      for (int i = 0; i < 9; ++i) take(Append(390), 0);
      ASSERT_EQ(DroppedOf(trial.pair.one), 0u);
      failed = take(Append(bytes), nth);
      EXPECT_EQ(DroppedOf(trial.pair.one) > 0, !failed);
      EXPECT_TRUE(AddsUp(trial.pair.one.Stats()));
      failures += failed ? 1 : 0;
    }
    EXPECT_GT(failures, 0);
  }
}

// Accepted before the peer had said how much it takes.
TEST(SessionAllocation, WhatThePeerFindsTooLargeIsDroppedOnce) {
  bool failed = true;
  int nth = 1;
  for (; failed; ++nth) {
    SCOPED_TRACE(nth);
    SessionPair pair;
    pair.two.config.payload_bytes_max = 200;
    pair.two.Restart(pair.two.config.incarnation);
    pair.one.session->OnConnected(pair.now);
    pair.two.session->OnConnected(pair.now);
    ASSERT_EQ(pair.one.Append("first"), SendOutcome::kAccepted);
    ASSERT_EQ(pair.one.Append(std::string(300, 'x')), SendOutcome::kAccepted);
    ASSERT_EQ(pair.one.Append("last"), SendOutcome::kAccepted);
    while (!pair.one.session->up()) {
      for (const std::string& said : pair.one.Speak(1)) pair.two.Hear(said);
      for (const std::string& said : pair.two.Speak(1)) pair.one.Hear(said);
      pair.now += absl::Milliseconds(10);
    }
    EmptyPool(pair.one);
    std::array<Frame, 3> frames;  // a hello may be due before
    std::array<bool, 3> made{};
    {
      const FailingAllocations failing(nth, FailingAllocations::kOne);
      for (std::size_t i = 0; i < frames.size(); ++i) {
        try {
          made[i] = pair.one.session->NextFrame(pair.now, &frames[i]);
        } catch (const std::bad_alloc&) {
        }
      }
      failed = failing.failed();
    }
    for (std::size_t i = 0; i < frames.size(); ++i) {
      if (made[i]) pair.two.Hear(BytesOf(frames[i]));
    }
    EXPECT_TRUE(AddsUp(pair.one.Stats()));
    pair.Advance(absl::Seconds(1));
    EXPECT_EQ(pair.two.Payloads(), (std::vector<std::string>{"first", "last"}));
    EXPECT_EQ(DroppedOf(pair.one), 1u);
    EXPECT_TRUE(AddsUp(pair.one.Stats()));
  }
  EXPECT_GT(nth, 2);
}

// The next tick reports the event, once.
TEST(SessionAllocation, ATickThatCannotTellThatThePeerIsGone) {
  bool failed = true;
  int nth = 1;
  for (; failed; ++nth) {
    SCOPED_TRACE(nth);
    SessionPair pair;
    pair.Connect();
    pair.now += absl::Seconds(3);
    pair.one.events.shrink_to_fit();
    {
      const FailingAllocations failing(nth, FailingAllocations::kRest);
      try {
        pair.one.session->Tick(pair.now);
      } catch (const std::bad_alloc&) {
      }
      failed = failing.failed();
    }
    pair.one.session->Tick(pair.now);
    EXPECT_EQ(pair.one.Events(), "up down");
    EXPECT_FALSE(pair.one.session->up());
    EXPECT_NE(pair.one.Stats().last_trouble, "");
  }
  EXPECT_GT(nth, 2);
}

// The other end gave the session up, and this one answers its hello.
TEST(SessionAllocation, AHelloIsSaidWhenThereIsMemory) {
  bool failed = true;
  int nth = 1;
  for (; failed; ++nth) {
    SCOPED_TRACE(nth);
    SessionPair pair;
    pair.Connect();
    pair.two.session->RejectRecords(pair.two.session->id(),
                                    RefusalReason::kBadRecord, "no sense");
    for (const std::string& frame : pair.two.Speak()) pair.one.Hear(frame);
    EmptyPool(pair.one);
    Frame frame;
    bool made = false;
    {
      const FailingAllocations failing(nth, FailingAllocations::kRest);
      try {
        made = pair.one.session->NextFrame(pair.now, &frame);
      } catch (const std::bad_alloc&) {
      }
      failed = failing.failed();
    }
    pair.now += kHelloInterval;
    if (!made) {
      ASSERT_TRUE(pair.one.session->NextFrame(pair.now, &frame));
    }
    EXPECT_EQ(HeaderOf(BytesOf(frame)).kind, FrameKind::kHello);
  }
  EXPECT_GT(nth, 2);
}

TEST(SessionAllocation, AGoodbyeIsSaidWhenThereIsMemory) {
  SessionPair pair;
  pair.Connect();
  pair.one.session->SayGoodbye(GoodbyeReason::kStopped);
  EmptyPool(pair.one);
  Frame frame;
  {
    const FailingAllocations failing(1, FailingAllocations::kRest);
    EXPECT_THROW(pair.one.session->NextFrame(pair.now, &frame), std::bad_alloc);
  }
  ASSERT_TRUE(pair.one.session->NextFrame(pair.now, &frame));
  pair.two.Hear(BytesOf(frame));
  EXPECT_EQ(pair.two.Events(), "up down");
  EXPECT_FALSE(pair.one.session->NextFrame(pair.now, &frame));
}

}  // namespace
}  // namespace cluster::internal
