// The checker finds each kind of false report, and does not object to true
// ones.

#include "cluster/sim/checker.h"

#include <cstdint>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kSession = 5;

// Server 1 sends to server 2, which was up from the beginning.
class CheckerTest : public testing::Test {
 protected:
  CheckerTest() {
    checker_.OnLife(one_);
    checker_.OnLife(two_);
    checker_.OnSessionMade(one_, 2);
    checker_.OnSessionMade(two_, 1);
    PeerEvent up;
    up.type = PeerEvent::kUp;
    up.peer = 2;
    Look([&](SessionObservation* seen) {
      seen->events = {up};
      seen->hello_incarnation = two_.incarnation;
    });
    up.peer = 1;
    checker_.OnEvent(two_, 1, up);
    EXPECT_THAT(checker_.violations(), IsEmpty());
  }

  Envelope Accept(std::uint64_t sequence, Lane lane = Lane::kNormal) {
    Envelope envelope;
    envelope.message_id = {one_.incarnation, sequence};
    envelope.sender_id = 1;
    envelope.pid = 2;
    envelope.lane = lane;
    checker_.OnAccepted(one_, 2, envelope);
    return envelope;
  }
  void Take(const Envelope& envelope, std::uint64_t session = kSession) {
    checker_.OnTaken(two_, 1, session, envelope);
  }
  // Reports a good observation of server 1's session to 2, after `change`.
  template <typename Change>
  void Look(Change change) {
    SessionObservation seen{};
    seen.stats.up = true;
    seen.last_frame = world_.Now();
    change(&seen);
    checker_.OnSession(one_, 2, seen);
  }

  void ExpectFound(const std::string& text) {
    EXPECT_THAT(checker_.violations(), ElementsAre(HasSubstr(text)));
  }

  World world_{1};
  SessionConfig config_;
  Checker checker_{&world_, config_, absl::Seconds(2)};
  const SimLife one_{1, 1, 101};
  const SimLife two_{2, 1, 201};
};

TEST_F(CheckerTest, TheTruthIsNoViolation) {
  const Envelope first = Accept(1), second = Accept(2);
  const Envelope urgent = Accept(3, Lane::kUrgent);
  Take(urgent);
  Take(first);
  Take(second);
  Look([](SessionObservation* seen) {
    seen->stats.accepted = seen->stats.acknowledged = 3;
  });
  checker_.OnSettled(one_, 2);
  EXPECT_THAT(checker_.violations(), IsEmpty());
}

TEST_F(CheckerTest, FindsMemoryBeyondItsParts) {
  const MemoryParts parts{100, 200, 300, 10};
  checker_.OnMemory(one_, {100, 200, 300, true}, parts);
  EXPECT_THAT(checker_.violations(), IsEmpty());
  checker_.OnMemory(one_, {101, 200, 300, true}, parts);
  ExpectFound("101 bytes held to send, over 100");
  checker_.OnMemory(one_, {0, 201, 0, false}, parts);
  checker_.OnMemory(one_, {0, 0, 301, false}, parts);
  EXPECT_EQ(checker_.violations().size(), 3u);
}

TEST_F(CheckerTest, FindsAnEnvelopeTakenTwice) {
  const Envelope envelope = Accept(1);
  Take(envelope);
  Take(envelope);
  ExpectFound("number 1 of its lane after number 1");
}

TEST_F(CheckerTest, FindsOneOutOfOrder) {
  const Envelope first = Accept(1), second = Accept(2);
  Look([](SessionObservation* seen) {  // a drop, so envelopes may be skipped
    seen->stats.accepted = 2;
    seen->stats.queued = 1;
    seen->stats.dropped[0] = 1;
  });
  Take(second);
  Take(first);
  ExpectFound("number 1 of its lane after number 2");
}

TEST_F(CheckerTest, FindsAGap) {
  Accept(1);
  Take(Accept(2));
  ExpectFound("1 passed over, but only 0 dropped");
}

TEST_F(CheckerTest, FindsWhatNobodySent) {
  Envelope envelope = Accept(1);
  envelope.message_id.sequence = 9;
  Take(envelope);
  ExpectFound("nobody sent it");
}

TEST_F(CheckerTest, FindsWhatWasChanged) {
  Envelope envelope = Accept(1);
  envelope.payload = "changed";
  Take(envelope);
  ExpectFound("it was changed");
}

TEST_F(CheckerTest, FindsAnAcknowledgementOfWhatNobodyTook) {
  Accept(1);
  Look([](SessionObservation* seen) {
    seen->stats.accepted = seen->stats.acknowledged = 1;
  });
  ExpectFound("1 acknowledged, but only 0 taken");
}

TEST_F(CheckerTest, FindsAnAccountThatDoesNotAddUp) {
  Accept(1);
  Look([](SessionObservation* seen) { seen->stats.accepted = 1; });
  ExpectFound("does not add up");
}

TEST_F(CheckerTest, FindsAWindowThatWasForgotten) {
  Look([this](SessionObservation* seen) {
    seen->stats.unconsumed_bytes = config_.window_bytes + 1;
  });
  ExpectFound("unconsumed, the window is");
}

TEST_F(CheckerTest, FindsAWrongCountOfUnknownFates) {
  PeerEvent restarted;
  restarted.type = PeerEvent::kRestarted;
  restarted.unknown_fate = restarted.resent = 1;
  Look([&](SessionObservation* seen) {
    seen->events = {restarted};
    seen->hello_incarnation = two_.incarnation;
  });
  EXPECT_THAT(checker_.violations(),
              testing::Contains(HasSubstr("1 of unknown fate, but 0")));
}

TEST_F(CheckerTest, FindsAnIncarnationUsedAgain) {
  checker_.OnLife({2, 2, two_.incarnation});
  ExpectFound("its incarnation was an earlier one's");
}

TEST_F(CheckerTest, FindsASessionWithALifeThatNeverWas) {
  PeerEvent restarted;
  restarted.type = PeerEvent::kRestarted;
  Look([&](SessionObservation* seen) {
    seen->events = {restarted};
    seen->hello_incarnation = 999;
  });
  ExpectFound("an incarnation that it never had");
}

TEST_F(CheckerTest, FindsAPeerThatIsUpThoughSilent) {
  world_.RunUntil(world_.Now() + absl::Seconds(3));
  Look([](SessionObservation* seen) { seen->last_frame = absl::UnixEpoch(); });
  ExpectFound("up, though silent for 3s");
}

TEST_F(CheckerTest, FindsAnAbsenceWithoutAWord) {
  const auto look = [this] {
    SessionObservation seen{};
    checker_.OnSession(two_, 1, seen);
  };
  world_.RunUntil(world_.Now() + absl::Seconds(2));
  look();
  EXPECT_THAT(checker_.violations(), IsEmpty());
  world_.RunUntil(world_.Now() + absl::Milliseconds(1));
  look();
  ExpectFound("absent, and not a word of it");
}

TEST_F(CheckerTest, FindsAPeerThatFlaps) {
  world_.RunUntil(world_.Now() + absl::Milliseconds(10));
  Look([](SessionObservation* seen) {
    for (PeerEvent::Type type : {PeerEvent::kDown, PeerEvent::kUp}) {
      seen->events.emplace_back();
      seen->events.back().type = type;
    }
  });
  ExpectFound("up, down and up again at once");
}

TEST_F(CheckerTest, FindsASessionWithoutAnEventBetween) {
  const Envelope first = Accept(1), second = Accept(2);
  Take(first);
  Take(second, kSession + 1);
  ExpectFound("a new session without an event between");
}

TEST_F(CheckerTest, FindsWhatNeverArrived) {
  Accept(1);
  Look([](SessionObservation* seen) {
    seen->stats.accepted = seen->stats.queued = 1;
  });
  checker_.OnSettled(one_, 2);
  EXPECT_THAT(checker_.violations(),
              testing::Contains(HasSubstr("1 never arrived")));
}

TEST_F(CheckerTest, FindsUnrestWhereAllIsWell) {
  checker_.ExpectQuiet();
  PeerEvent down;
  down.type = PeerEvent::kDown;
  Look([&](SessionObservation* seen) { seen->events = {down}; });
  ExpectFound("though all is well");
}

}  // namespace
}  // namespace cluster::internal
