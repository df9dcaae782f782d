#include "cluster/session/handshake.h"

#include <cstdint>

#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

// One side, and the hellos that it would exchange with another.
struct Side {
  Side(int id, std::uint64_t first_random)
      : config(TestSessionConfig(id, 3 - id)),
        next_random(first_random),
        handshake(config, [this] { return next_random++; }) {}

  HelloResult Hear(const Hello& hello, const Side& from) {
    return handshake.Receive(hello, from.handshake.session(), now);
  }
  Hello Say() { return handshake.Say(now); }

  SessionConfig config;
  std::uint64_t next_random;
  absl::Time now = absl::UnixEpoch();
  Handshake handshake;
};

struct Sides {
  Side one{1, 100};
  Side two{2, 200};

  void Establish() {
    one.handshake.Greet(one.now);
    two.Hear(one.Say(), one);
    ASSERT_EQ(one.Hear(two.Say(), two), HelloResult::kFirst);
    ASSERT_EQ(two.Hear(one.Say(), one), HelloResult::kFirst);
    ASSERT_EQ(one.handshake.session(), two.handshake.session());
  }
};

TEST(Handshake, ThreeHellosMakeASession) {
  Sides sides;
  EXPECT_FALSE(sides.one.handshake.Due(sides.one.now));
  sides.one.handshake.Greet(sides.one.now);
  EXPECT_TRUE(sides.one.handshake.Due(sides.one.now));
  EXPECT_EQ(sides.two.Hear(sides.one.Say(), sides.one), HelloResult::kHeard);
  EXPECT_TRUE(sides.two.handshake.Due(sides.two.now));
  EXPECT_EQ(sides.one.Hear(sides.two.Say(), sides.two), HelloResult::kFirst);
  EXPECT_TRUE(sides.one.handshake.Due(sides.one.now));
  EXPECT_EQ(sides.two.Hear(sides.one.Say(), sides.one), HelloResult::kFirst);
  EXPECT_NE(sides.one.handshake.session(), 0u);
  EXPECT_EQ(sides.one.handshake.session(), sides.two.handshake.session());
  EXPECT_EQ(sides.one.handshake.peer().incarnation,
            sides.two.config.incarnation);
  // Nothing more to say.
  EXPECT_FALSE(sides.one.handshake.Due(sides.one.now + absl::Hours(1)));
  EXPECT_FALSE(sides.two.handshake.MayBeDue());
}

TEST(Handshake, AHelloThatEchoesNothingWinsNothing) {
  Sides sides;
  const Hello hello = sides.one.Say();
  EXPECT_EQ(sides.two.Hear(hello, sides.one), HelloResult::kHeard);
  EXPECT_EQ(sides.two.Hear(hello, sides.one), HelloResult::kHeard);
  EXPECT_FALSE(sides.two.handshake.established());
}

TEST(Handshake, ANonceWinsOnlyOnce) {
  Sides sides;
  sides.two.Hear(sides.one.Say(), sides.one);
  Hello hello = sides.two.Say();
  ASSERT_EQ(sides.one.Hear(hello, sides.two), HelloResult::kFirst);
  const std::uint64_t session = sides.one.handshake.session();
  EXPECT_EQ(sides.one.Hear(hello, sides.two), HelloResult::kHeard);
  // Nor with another epoch, which would be another session.
  hello.epoch = 999;
  EXPECT_EQ(sides.one.Hear(hello, sides.two), HelloResult::kHeard);
  EXPECT_EQ(sides.one.handshake.session(), session);
}

TEST(Handshake, AnEchoOfAnotherEpochWinsNothing) {
  Sides sides;
  sides.two.Hear(sides.one.Say(), sides.one);
  Hello hello = sides.two.Say();
  ++hello.echo_epoch;
  EXPECT_EQ(sides.one.Hear(hello, sides.two), HelloResult::kHeard);
  EXPECT_FALSE(sides.one.handshake.established());
}

TEST(Handshake, AHelloOfAnEarlierLifeWinsNothing) {
  Sides sides;
  sides.Establish();
  const Hello old = sides.one.Say();
  const std::uint64_t session = sides.two.handshake.session();
  Side reborn(1, 500);
  reborn.config.incarnation = 77;
  sides.two.Hear(reborn.Say(), reborn);
  reborn.Hear(sides.two.Say(), sides.two);
  ASSERT_EQ(sides.two.Hear(reborn.Say(), reborn), HelloResult::kRestarted);
  EXPECT_NE(sides.two.handshake.session(), session);
  const std::uint64_t now = sides.two.handshake.session();
  EXPECT_EQ(sides.two.Hear(old, sides.one), HelloResult::kHeard);
  EXPECT_EQ(sides.two.handshake.session(), now);
}

TEST(Handshake, AnotherSessionOfTheSameLifeRenews) {
  Sides sides;
  sides.Establish();
  Side again(1, 500);
  sides.two.Hear(again.Say(), again);
  again.Hear(sides.two.Say(), sides.two);
  EXPECT_EQ(sides.two.Hear(again.Say(), again), HelloResult::kRenewed);
}

TEST(Handshake, BreakTakesANewEpoch) {
  Sides sides;
  sides.Establish();
  const std::uint64_t session = sides.one.handshake.session();
  sides.one.handshake.Break();
  EXPECT_FALSE(sides.one.handshake.established());
  EXPECT_TRUE(sides.one.handshake.MayBeDue());
  sides.two.Hear(sides.one.Say(), sides.one);
  ASSERT_EQ(sides.one.Hear(sides.two.Say(), sides.two), HelloResult::kRenewed);
  ASSERT_EQ(sides.two.Hear(sides.one.Say(), sides.one), HelloResult::kRenewed);
  EXPECT_NE(sides.one.handshake.session(), session);
  EXPECT_EQ(sides.one.handshake.session(), sides.two.handshake.session());
}

TEST(Handshake, AHelloThatCrossesAnotherKeepsTheSession) {
  Sides sides;
  sides.Establish();
  const std::uint64_t session = sides.one.handshake.session();
  EXPECT_EQ(sides.one.Hear(sides.two.Say(), sides.two), HelloResult::kSame);
  EXPECT_EQ(sides.one.handshake.session(), session);
}

TEST(Handshake, OtherClustersAreRefused) {
  Sides sides;
  Hello hello = sides.one.Say();
  hello.cluster = "another";
  EXPECT_EQ(sides.two.Hear(hello, sides.one), HelloResult::kWrongCluster);
  EXPECT_FALSE(sides.two.handshake.MayBeDue());
}

// Both sides' ranges, and the version that they agree on; 0: none.
TEST(Handshake, TheHighestCommonVersionIsTaken) {
  struct Case {
    VersionRange one, two;
    int agreed;
  };
  for (const Case& c : {Case{{2, 2}, {2, 2}, 2}, Case{{2, 2}, {2, 5}, 2},
                        Case{{2, 7}, {3, 5}, 5}, Case{{2, 4}, {4, 9}, 4},
                        Case{{2, 3}, {4, 9}, 0}, Case{{2, 2}, {1, 1}, 0}}) {
    for (const bool turned : {false, true}) {
      Sides sides;
      sides.one.config.versions = turned ? c.two : c.one;
      sides.two.config.versions = turned ? c.one : c.two;
      if (c.agreed != 0) {
        sides.Establish();
        EXPECT_EQ(sides.one.handshake.version(), c.agreed);
        EXPECT_EQ(sides.two.handshake.version(), c.agreed);
        continue;
      }
      EXPECT_EQ(sides.two.Hear(sides.one.Say(), sides.one),
                HelloResult::kNoCommonVersion);
      EXPECT_FALSE(sides.two.handshake.MayBeDue());
      EXPECT_EQ(sides.one.Hear(sides.two.Say(), sides.two),
                HelloResult::kNoCommonVersion);
    }
  }
}

TEST(Handshake, TheCommonFeaturesAreTaken) {
  Sides sides;
  sides.one.config.features = 0b0111;
  sides.two.config.features = 0b1101;
  sides.Establish();
  EXPECT_EQ(sides.one.handshake.features(), 0b0101u);
  EXPECT_EQ(sides.two.handshake.features(), 0b0101u);
}

TEST(Handshake, WhatAPeerClaimsIsClampedToOurOwnLimits) {
  Sides sides;
  sides.two.Hear(sides.one.Say(), sides.one);
  Hello hello = sides.two.Say();
  hello.window_bytes = hello.frame_bytes_max = hello.payload_bytes_max =
      std::uint64_t{1} << 62;
  hello.heartbeat_ms = hello.peer_timeout_ms = 0xffffffff;
  ASSERT_EQ(sides.one.Hear(hello, sides.two), HelloResult::kFirst);
  const auto expect_clamped = [&sides] {
    const SessionConfig& own = sides.one.config;
    const Hello& peer = sides.one.handshake.peer();
    EXPECT_EQ(peer.window_bytes, own.window_bytes);
    EXPECT_EQ(peer.frame_bytes_max, kSessionFrameBytesMax);
    EXPECT_EQ(peer.payload_bytes_max, own.payload_bytes_max);
    EXPECT_LE(peer.heartbeat_ms, 24u * 60 * 60 * 1000);
    EXPECT_LE(peer.peer_timeout_ms, 24u * 60 * 60 * 1000);
  };
  expect_clamped();
  // Nor later in the session.
  hello.echo_nonce = sides.one.Say().nonce;
  ASSERT_EQ(sides.one.Hear(hello, sides.two), HelloResult::kSame);
  expect_clamped();
}

TEST(Handshake, LaterHellosOfTheSessionTellNewLimitsAndNothingElse) {
  Sides sides;
  sides.Establish();
  Hello hello = sides.two.Say();
  hello.window_bytes = 5;
  hello.payload_bytes_max = 6;
  hello.features = 0;
  ASSERT_EQ(sides.one.Hear(hello, sides.two), HelloResult::kSame);
  EXPECT_EQ(sides.one.handshake.peer().window_bytes, 5u);
  EXPECT_EQ(sides.one.handshake.peer().payload_bytes_max, 6u);
  EXPECT_EQ(sides.one.handshake.features(), SessionConfig().features);
}

TEST(Handshake, ASessionNeedsLimits) {
  for (std::uint64_t Hello::*field :
       {&Hello::window_bytes, &Hello::frame_bytes_max,
        &Hello::payload_bytes_max}) {
    Sides sides;
    Hello hello = sides.one.Say();
    hello.*field = 0;
    EXPECT_EQ(sides.two.Hear(hello, sides.one), HelloResult::kIncomplete);
    EXPECT_FALSE(sides.two.handshake.MayBeDue());
  }
}

TEST(Handshake, AHelloTellsWhatItsSenderIs) {
  Side one(1, 100);
  one.config.address = "10.0.0.1:10001";
  const Hello hello = one.Say();
  EXPECT_EQ(hello.versions.min, kFrameVersionMin);
  EXPECT_EQ(hello.versions.max, kFrameVersionMax);
  EXPECT_EQ(hello.features,
            kFeatureGroups | kFeatureStandstill | kFeatureLiveTimes);
  EXPECT_EQ(hello.address, "10.0.0.1:10001");
  EXPECT_EQ(hello.heartbeat_ms, 500u);
  EXPECT_EQ(hello.peer_timeout_ms, 2000u);
  EXPECT_TRUE(one.handshake.Echoes(hello.nonce));
  EXPECT_FALSE(one.handshake.Echoes(hello.nonce + 1));
}

TEST(Handshake, AMirrorIsNoPeer) {
  Side one(1, 100);
  Hello hello = one.Say();
  hello.echo_nonce = hello.nonce;
  hello.echo_epoch = hello.epoch;
  EXPECT_EQ(one.Hear(hello, one), HelloResult::kHeard);
  EXPECT_FALSE(one.handshake.established());
}

TEST(Handshake, UnansweredHellosComeAgainLessAndLessOften) {
  Side one(1, 100);
  one.handshake.Greet(one.now);
  absl::Duration last;
  for (int i = 0; i < 10; ++i) {
    one.Say();
    const absl::Time said = one.now;
    ASSERT_FALSE(one.handshake.Due(one.now));
    while (!one.handshake.Due(one.now)) one.now += absl::Milliseconds(1);
    const absl::Duration interval = one.now - said;
    EXPECT_GE(interval, last);
    EXPECT_LE(interval, kHelloIntervalMax);
    last = interval;
  }
  EXPECT_EQ(last, kHelloIntervalMax);
}

// Two sides that doubt each other must not answer each answer at once.
TEST(Handshake, DoubtIsAnsweredNotMoreOftenThanTheInterval) {
  Sides sides;
  sides.Establish();
  sides.one.handshake.Doubt();
  ASSERT_TRUE(sides.one.handshake.Due(sides.one.now + kHelloInterval));
  sides.one.now += kHelloInterval;
  sides.one.Say();
  sides.one.handshake.Doubt();
  EXPECT_FALSE(sides.one.handshake.Due(sides.one.now));
  EXPECT_TRUE(sides.one.handshake.Due(sides.one.now + kHelloInterval));
}

}  // namespace
}  // namespace cluster::internal
