// Events of a session about a peer that is not there, or not as it should be.

#include <string>
#include <utility>
#include <vector>

#include "cluster/session/event_ration.h"
#include "cluster/session/testing/session_pair.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Source final : public FrameSource {
 public:
  explicit Source(std::string text) : text_(std::move(text)) {}
  std::string Text() const override { return text_; }

 private:
  const std::string text_;
};

// Ticks one end alone; its frames are lost.
void Pass(SessionPair* pair, SessionEnd* end, absl::Duration time) {
  const absl::Time until = pair->now + time;
  while (pair->now < until) {
    end->session->Tick(pair->now += absl::Milliseconds(10));
    end->Speak();
  }
}

TEST(SessionDiagnosis, APeerThatNeverComesIsDownAfterTheTimeout) {
  SessionPair pair;
  pair.one.session->Tick(pair.now);
  Pass(&pair, &pair.one, pair.one.config.peer_timeout - absl::Milliseconds(10));
  EXPECT_EQ(pair.one.Events(), "");
  pair.one.session->OnDisconnected("connect to n2:1: Connection refused",
                                   pair.now);
  Pass(&pair, &pair.one, absl::Seconds(60));
  EXPECT_EQ(pair.one.Events(), "down");
  EXPECT_EQ(pair.one.events[0].reason, "connect to n2:1: Connection refused");
  // It comes at last.
  pair.Connect();
  EXPECT_EQ(pair.one.Events(), "down up");
  EXPECT_EQ(pair.one.Stats().last_trouble, "");
  EXPECT_EQ(pair.one.Stats().last_trouble_at, absl::InfinitePast());
}

TEST(SessionDiagnosis, AnIdleSessionIsWokenForThatTimeout) {
  SessionPair pair;
  pair.one.session->Tick(pair.now);
  EXPECT_EQ(pair.one.session->IdleUntil(),
            pair.now + pair.one.config.peer_timeout);
}

TEST(SessionDiagnosis, ConnectedAndNotAnsweredIsDownWithTheLikelyReasons) {
  SessionPair pair;
  pair.one.session->Tick(pair.now);
  pair.one.session->OnConnected(pair.now);
  Pass(&pair, &pair.one, absl::Seconds(10));
  EXPECT_EQ(pair.one.Events(), "down");
  EXPECT_THAT(pair.one.events[0].reason,
              AllOf(HasSubstr("connected, but server 2 does not answer"),
                    HasSubstr("may not list server 1"),
                    HasSubstr("cluster name, delivery or version")));
}

// The operator's other step: the peer was not there, and then starts with a
// config that does not fit. Redials in between change nothing.
TEST(SessionDiagnosis, APeerThatWasUnreachableAndThenDoesNotAnswerIsToldAgain) {
  SessionPair pair;
  pair.one.session->Tick(pair.now);
  pair.one.session->OnDisconnected("refused", pair.now);
  Pass(&pair, &pair.one, absl::Seconds(3));
  ASSERT_EQ(pair.one.Events(), "down");
  for (int dial = 0; dial < 20; ++dial) {
    pair.one.session->OnRedial();
    pair.one.session->OnConnected(pair.now);
    Pass(&pair, &pair.one, absl::Seconds(1));
  }
  EXPECT_EQ(pair.one.Events(), "down down");
  EXPECT_THAT(pair.one.events[1].reason, HasSubstr("does not answer"));
}

// Its address of this server is wrong: it greets, but nothing answers there.
TEST(SessionDiagnosis, APeerThatGreetsButCannotBeReachedIsDownWithBoth) {
  SessionPair pair([](SessionConfig* config) { config->address = "n2:10002"; });
  pair.one.session->Tick(pair.now);
  pair.one.session->OnDisconnected("connect to n2:1: refused", pair.now);
  pair.two.session->OnConnected(pair.now);
  pair.Advance(absl::Seconds(3));
  EXPECT_EQ(pair.one.Events(), "down");
  EXPECT_EQ(pair.one.events[0].reason,
            "connect to n2:1: refused; but server 2 does greet this server, as "
            "\"n2:10002\"");
  EXPECT_EQ(pair.two.Events(), "down");
  EXPECT_THAT(pair.two.events[0].reason,
              HasSubstr("it may have a wrong address of server 2"));
}

TEST(SessionDiagnosis, ARefusalIsTheReasonOfTheDown) {
  SessionPair pair;
  pair.two.config.cluster = "other";
  pair.two.Restart(2002);
  pair.Connect();
  pair.Advance(absl::Seconds(4));
  for (SessionEnd* end : {&pair.one, &pair.two}) {
    int downs = 0;
    for (const PeerEvent& event : end->events) {
      if (event.type != PeerEvent::kDown) continue;
      ++downs;
      EXPECT_THAT(event.reason, HasSubstr("wrong cluster: server "));
    }
    EXPECT_EQ(downs, 1);
    EXPECT_GT(end->Stats().last_trouble_at, absl::UnixEpoch());
  }
}

TEST(SessionDiagnosis, ATroubleIsNotOverwrittenByNothing) {
  SessionPair pair;
  pair.Connect();
  pair.two.session->SayGoodbye(GoodbyeReason::kRemovedYou);
  pair.Exchange();
  EXPECT_EQ(pair.one.Stats().last_trouble, "removed by server 2");
  pair.one.session->OnRedial();
  pair.one.session->OnDisconnected("", pair.now);
  pair.one.session->OnConnected(pair.now);
  EXPECT_EQ(pair.one.Stats().last_trouble, "removed by server 2");
}

// Frames that were on their way when one side fell silent come late, and first.
TEST(SessionDiagnosis, AtHealAPeerComesUpOnceThoughOldFramesComeFirst) {
  SessionPair pair;
  pair.Connect();
  std::vector<std::string> late;
  const absl::Time cut = pair.now;
  while (pair.now - cut < absl::Seconds(10)) {
    pair.now += absl::Milliseconds(10);
    pair.one.session->Tick(pair.now);
    pair.two.session->Tick(pair.now);
    pair.one.Speak();
    for (const std::string& frame : pair.two.Speak()) late.push_back(frame);
  }
  ASSERT_EQ(pair.one.Events(), "up down");
  ASSERT_EQ(pair.two.Events(), "up down");
  ASSERT_NE(HeaderOf(late.front()).flags & kHearsYou, 0);
  ASSERT_EQ(HeaderOf(late.back()).flags & kHearsYou, 0);
  for (const std::string& frame : late) pair.one.Hear(frame);
  EXPECT_EQ(pair.one.Events(), "up down");
  pair.Exchange();  // no time passes
  EXPECT_EQ(pair.one.Events(), "up down up");
  EXPECT_EQ(pair.two.Events(), "up down up");
  pair.Advance(absl::Seconds(5));
  EXPECT_EQ(pair.one.Events(), "up down up");
  EXPECT_EQ(pair.two.Events(), "up down up");
  EXPECT_EQ(pair.one.Stats().sessions, 1u);
}

TEST(SessionDiagnosis, AChallengeThatIsLostIsMadeAgain) {
  SessionPair pair;
  pair.Connect();
  pair.two_is_heard = false;
  pair.Advance(absl::Seconds(5));
  pair.two_is_heard = true;
  pair.one_is_heard = false;
  pair.Advance(absl::Milliseconds(600));
  EXPECT_EQ(pair.one.Events(), "up down");
  pair.one_is_heard = true;
  pair.Advance(absl::Seconds(1));
  EXPECT_EQ(pair.one.Events(), "up down up");
  EXPECT_EQ(pair.two.Events(), "up down up");
}

TEST(SessionDiagnosis, APeerWhoseHostRefusesTwiceIsDownBeforeTheTimeout) {
  SessionPair pair;
  pair.Connect();
  pair.one.session->OnDisconnected("connection to n2:1 lost", pair.now);
  pair.one.session->OnRefused(pair.now);
  pair.now += kNobodyListens - absl::Milliseconds(1);
  pair.one.session->OnRefused(pair.now);
  EXPECT_EQ(pair.one.Events(), "up");
  pair.now += absl::Milliseconds(1);
  pair.one.session->OnRefused(pair.now);
  EXPECT_EQ(pair.one.Events(), "up down");
  EXPECT_THAT(pair.one.events[1].reason,
              AllOf(HasSubstr("nobody listens"), HasSubstr("n2:1 lost")));
}

// A listener that binds anew is refused for a moment too.
TEST(SessionDiagnosis, APeerThatIsHeardOrConnectedIsNotDown) {
  SessionPair pair([](SessionConfig* config) {
    config->heartbeat = absl::Milliseconds(50);
  });
  pair.Connect();
  pair.one.session->OnDisconnected("lost", pair.now);
  for (int i = 0; i < 20; ++i) {
    pair.one.session->OnRefused(pair.now);
    pair.two.session->Tick(pair.now += absl::Milliseconds(100));
    for (const std::string& frame : pair.two.Speak()) pair.one.Hear(frame);
  }
  EXPECT_EQ(pair.one.Events(), "up");
  pair.one.session->OnConnected(pair.now);
  pair.one.session->OnDisconnected("lost", pair.now);
  pair.one.session->OnRefused(pair.now);
  EXPECT_EQ(pair.one.Events(), "up");
}

TEST(SessionDiagnosis, TimesThatDoNotFitAreToldOnBothSidesAndWork) {
  SessionPair pair;
  pair.one.config.heartbeat = absl::Seconds(2);
  pair.one.config.peer_timeout = absl::Seconds(5);
  pair.one.Restart(1001);
  pair.two.config.heartbeat = absl::Milliseconds(200);
  pair.two.config.peer_timeout = absl::Milliseconds(500);
  pair.two.Restart(1002);
  pair.Connect();
  pair.Advance(absl::Minutes(1));
  for (SessionEnd* end : {&pair.one, &pair.two}) {
    EXPECT_EQ(end->Events(), "up warning");
    EXPECT_THAT(
        end->events[1].reason,
        AllOf(HasSubstr("server 1 has heartbeat_ms 2000 and peer_timeout_ms "
                        "5000"),
              HasSubstr("server 2 has heartbeat_ms 200 and peer_timeout_ms "
                        "500")));
  }
}

// A third end: another process with the id of two.
class TwoProcesses : public testing::Test {
 protected:
  TwoProcesses() { twin_.session->OnConnected(pair_.now); }

  // One hears the twin; nobody answers it.
  void Advance(absl::Duration time) {
    const absl::Time until = pair_.now + time;
    while (pair_.now < until) {
      pair_.Advance(absl::Milliseconds(10));
      twin_.session->Tick(pair_.now);
      for (const std::string& frame : twin_.Speak()) {
        const Slice slice = MakeSlice(frame);
        FrameHeader header;
        absl::string_view body;
        ASSERT_EQ(DecodeFrame(slice.bytes, &header, &body), FrameError::kNone);
        pair_.one.session->OnFrame(header, Slice{slice.owner, body}, pair_.now,
                                   &source_);
      }
    }
  }

  static SessionConfig TwinConfig() {
    SessionConfig config = TestSessionConfig(2, 1);
    config.incarnation = 7777;
    config.address = "elsewhere:9";
    return config;
  }

  Source source_{"10.0.0.9:4"};
  SessionPair pair_;
  SessionEnd twin_{TwinConfig(), &pair_.now};
};

TEST_F(TwoProcesses, AreToldToWhoHearsBothAndToTheTrueOne) {
  pair_.Connect();
  Advance(absl::Seconds(3));
  ASSERT_EQ(pair_.one.Events(), "up warning");
  EXPECT_THAT(pair_.one.events[1].reason,
              AllOf(HasSubstr("two processes have the id 2"),
                    HasSubstr("from 10.0.0.9:4 as \"elsewhere:9\"")));
  ASSERT_EQ(pair_.two.Events(), "up warning");
  EXPECT_THAT(pair_.two.events[1].reason,
              HasSubstr("server 1 reports that two processes have the id 2"));
  EXPECT_EQ(pair_.one.Stats().sessions, 1u);
  // It goes on, and the events become rare.
  Advance(absl::Seconds(60));
  EXPECT_GE(pair_.one.events.size(), 4u);
  EXPECT_LE(pair_.one.events.size(), 8u);
}

TEST_F(TwoProcesses, TheOneThatIsNotHeardFindsOut) {
  pair_.Connect();
  Advance(absl::Seconds(3));
  ASSERT_EQ(twin_.Events(), "down");
  EXPECT_THAT(twin_.events[0].reason,
              HasSubstr("another process may be server 2"));
}

// Nothing answers for the process before, and its last words come late.
TEST_F(TwoProcesses, ARestartIsNot) {
  pair_.Connect();
  const std::vector<std::string> last_words = twin_.Speak();
  for (std::uint64_t life = 0; life < 5; ++life) {
    pair_.Reborn(&pair_.two, 2000 + life);
    for (const std::string& frame : last_words) pair_.one.Hear(frame);
    pair_.Advance(absl::Milliseconds(300));
  }
  for (const PeerEvent& event : pair_.one.events)
    EXPECT_NE(event.type, PeerEvent::kWarning) << event;
}

TEST(EventRationTest, WhatGoesOnIsToldEverMoreSeldom) {
  EventRation ration;
  absl::Time now = absl::UnixEpoch();
  std::uint64_t told = 0;
  std::uint64_t withheld = 0;
  for (int second = 0; second < 3600; ++second) {
    if (const auto more = ration.Take(now)) {
      ++told;
      withheld += *more;
    }
    now += absl::Seconds(1);
  }
  EXPECT_GE(told, 15u);
  EXPECT_LE(told, 25u);
  EXPECT_LE(3600 - told - withheld, 300u);
  // After a pause, at once.
  now += 3 * EventRation::kMost;
  EXPECT_TRUE(ration.Take(now).has_value());
  EXPECT_FALSE(ration.Take(now).has_value());
  EXPECT_TRUE(ration.Take(now + EventRation::kLeast).has_value());
}

}  // namespace
}  // namespace cluster::internal
