// The memory that sessions of one server may hold together: queues, windows and
// large payloads that come in. And whom they stop when it is used up.

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cluster/session/memory_budget.h"
#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using Strings = std::vector<std::string>;

constexpr std::size_t kPayload = 256 << 10;  // payload_bytes_max of the tests

MemoryParts LeastParts() {
  return ShareOutMemory(MemoryBytesMin(kPayload), kPayload);
}

// One server with several peers: the first ends, or the second ones, of pairs
// share a budget.
class Star {
 public:
  explicit Star(int peers, bool sends, const MemoryParts& parts = LeastParts(),
                const SessionPair::Change& change = nullptr)
      : parts_(parts),
        budget_(std::make_shared<MemoryBudget>(parts, peers, 1024)) {
    for (int i = 0; i < peers; ++i) {
      pairs_.push_back(std::make_unique<SessionPair>(change));
      SessionEnd& end = sends ? pairs_.back()->one : pairs_.back()->two;
      end.config.memory = budget_;
      end.Restart(end.config.incarnation);
      ends_.push_back(&end);
    }
  }

  SessionPair& operator[](int i) {
    return *pairs_[static_cast<std::size_t>(i)];
  }
  const std::vector<std::unique_ptr<SessionPair>>& pairs() { return pairs_; }
  MemoryBudget& budget() { return *budget_; }

  void Connect() {
    for (const auto& pair : pairs_) pair->Connect();
  }
  // Time passes for all, step by step, and no bound is exceeded meanwhile.
  void Advance(absl::Duration duration) {
    for (; duration > absl::ZeroDuration();
         duration -= absl::Milliseconds(10)) {
      for (const auto& pair : pairs_) {
        pair->Advance(absl::Milliseconds(10));
        Check();
      }
    }
  }
  void Check() {
    std::size_t sending = 0;
    std::size_t received = 0;
    for (const SessionEnd* end : ends_) {
      const PeerStats stats = end->Stats();
      sending += stats.held_bytes;
      received += end->session->received_bytes();
      EXPECT_TRUE(AddsUp(stats));
    }
    EXPECT_LE(sending - received, parts_.sending);
    EXPECT_LE(received, parts_.windows);
    EXPECT_LE(budget_->reassembly_bytes(), parts_.reassembly);
  }

 private:
  const MemoryParts parts_;
  const std::shared_ptr<MemoryBudget> budget_;
  std::vector<std::unique_ptr<SessionPair>> pairs_;
  std::vector<SessionEnd*> ends_;
};

// Appends until it is refused; returns how many bytes were taken.
std::size_t Fill(SessionEnd* end, std::size_t bytes,
                 Lane lane = Lane::kNormal) {
  std::size_t taken = 0;
  while (end->Append(std::string(bytes, 'x'), lane) == SendOutcome::kAccepted)
    taken += bytes;
  return taken;
}

const auto kLongQueues = [](SessionConfig* config) {
  config->queue_bytes_max = 64 << 20;
};

TEST(SessionMemory, WhatIsQueuedForAllPeersIsBounded) {
  const MemoryParts parts = LeastParts();
  Star star(4, /*sends=*/true, parts, kLongQueues);
  std::size_t all = 0;
  for (const auto& pair : star.pairs()) {
    all += Fill(&pair->one, 1000);
    EXPECT_EQ(pair->one.Append(std::string(1000, 'x')), SendOutcome::kNoMemory);
    EXPECT_EQ(pair->one.Stats().memory_refused, 2u);
    star.Check();
  }
  // Nearly all of it can be used: some is kept for urgent envelopes.
  EXPECT_GT(all, parts.sending * 8 / 10);
}

// A peer's queue that nobody takes from holds its guarantee and the pool, and
// none of the others' guarantees.
TEST(SessionMemory, ADeadPeersQueueShutsTheOthersOutOfThePoolAlone) {
  const MemoryParts parts = LeastParts();
  Star star(4, /*sends=*/true, parts, kLongQueues);
  Fill(&star[0].one, 1000);
  const std::size_t guarantee = parts.sending / 2 / 4;
  for (int i = 1; i < 4; ++i)
    EXPECT_GE(Fill(&star[i].one, 1000), guarantee * 8 / 10);
  // A live one goes on for ever.
  star[1].Connect();
  star[1].Advance(absl::Seconds(1));
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(star[1].one.Append(std::string(1000, 'x')),
              SendOutcome::kAccepted);
    star[1].Exchange();
    star.Check();
  }
}

TEST(SessionMemory, UrgentEnvelopesFindRoomWhereOthersDoNot) {
  Star star(2, /*sends=*/true, LeastParts(), kLongQueues);
  for (const auto& pair : star.pairs()) {
    Fill(&pair->one, 1000, Lane::kBulk);
    EXPECT_GT(Fill(&pair->one, 100, Lane::kNormal), 0u);
    EXPECT_GT(Fill(&pair->one, 100, Lane::kUrgent), 0u);
    star.Check();
  }
}

TEST(SessionMemory, WhatOnePeerTakesMakesRoomForAnother) {
  Star star(2, /*sends=*/true, LeastParts(), kLongQueues);
  Fill(&star[0].one, 1000);
  Fill(&star[1].one, 1000);
  // More than a guarantee: it needs the pool, which the first one has.
  const std::string large(kPayload, 'y');
  ASSERT_EQ(star[1].one.Append(large), SendOutcome::kNoMemory);
  star[0].Connect();
  star[0].Advance(absl::Seconds(5));
  ASSERT_TRUE(star[0].one.session->Drained());
  EXPECT_EQ(star[1].one.Append(large), SendOutcome::kAccepted);
  star.Check();
}

// An empty queue takes any payload while others leave room.
TEST(SessionMemory, TheLargestPayloadToEachPeerInTurnCompletes) {
  Star star(10, /*sends=*/true);
  star.Connect();
  const std::string large(kPayload, 'x');
  for (int round = 0; round < 2; ++round) {
    for (const auto& pair : star.pairs()) {
      ASSERT_EQ(pair->one.Append(large, static_cast<Lane>(round)),
                SendOutcome::kAccepted);
      star.Advance(absl::Milliseconds(100));
    }
  }
  for (const auto& pair : star.pairs())
    EXPECT_EQ(pair->two.Payloads(), (Strings{large, large}));
}

// Memory usually goes back when the next frame is taken. None is taken here.
TEST(SessionMemory, AnAcknowledgementGivesMemoryBackThoughNothingLeaves) {
  SessionPair pair;
  pair.Connect();
  ASSERT_EQ(pair.one.Append(std::string(1000, 'x')), SendOutcome::kAccepted);
  const Strings frames = pair.one.Speak();
  ASSERT_EQ(pair.one.Append("y"), SendOutcome::kAccepted);
  Frame frame;
  ASSERT_TRUE(pair.one.session->NextFrame(pair.now, &frame));
  pair.one.session->FrameNotTaken();
  EXPECT_GT(pair.one.Stats().held_bytes, 1000u);
  for (const std::string& each : frames) pair.two.Hear(each);
  pair.two.session->Tick(pair.now + absl::Seconds(1));
  for (const std::string& each : pair.two.Speak()) pair.one.Hear(each);
  EXPECT_LT(pair.one.Stats().held_bytes, 1000u);
}

// A record in chunks keeps its buffer whole until the last of them is taken.
TEST(SessionMemory, ALargePayloadCountsUntilItsLastChunkIsConsumed) {
  Star star(1, /*sends=*/true);
  SessionPair& pair = star[0];
  pair.Connect();
  pair.two.consumes = false;
  ASSERT_EQ(pair.one.Append(std::string(kPayload, 'x')),
            SendOutcome::kAccepted);
  while (pair.one.Stats().queued > 0) {
    EXPECT_GE(pair.one.Stats().held_bytes, kPayload);
    for (const std::string& frame : pair.one.Speak(1)) pair.two.Hear(frame);
    for (const std::string& frame : pair.two.Speak()) pair.one.Hear(frame);
  }
  pair.Advance(absl::Seconds(1));
  EXPECT_EQ(pair.two.Pending(), 1);
  EXPECT_LT(pair.one.Stats().unconsumed_bytes, kPayload / 10);
  EXPECT_GE(pair.one.Stats().held_bytes, kPayload);
  pair.two.Consume();
  pair.Advance(absl::Seconds(1));
  EXPECT_EQ(pair.one.Stats().held_bytes, 0u);
}

TEST(SessionMemory, DropOldestMakesRoomInItsOwnQueue) {
  Star star(2, /*sends=*/true, LeastParts(), [](SessionConfig* config) {
    config->queue_bytes_max = 64 << 20;
    config->overflow = Overflow::kDropOldest;
  });
  for (int i = 0; i < 2000; ++i) {
    ASSERT_EQ(star[0].one.Append(std::to_string(i) + std::string(1000, 'x')),
              SendOutcome::kAccepted);
  }
  star.Check();
  const std::uint64_t dropped =
      star[0].one.Stats().Dropped(DropReason::kOverflow);
  EXPECT_GT(dropped, 0u);
  star[0].Connect();
  star[0].Advance(absl::Seconds(5));
  ASSERT_EQ(star[0].two.taken.size(), 2000 - dropped);
  EXPECT_EQ(star[0].two.taken.back().payload, "1999" + std::string(1000, 'x'));
}

// A peer's guarantee is nobody else's while it is away.
TEST(SessionMemory, APeerThatComesBackFindsItsGuarantee) {
  const MemoryParts parts = LeastParts();
  auto budget = std::make_shared<MemoryBudget>(parts, 2, 1024);
  MemoryShare first(budget, 1024);
  std::size_t used = 0;
  while (first.FitsOrReserve(Lane::kUrgent, used, 1000)) used += 1000;
  const std::size_t guarantee = parts.sending / 2 / 2;
  EXPECT_GE(used + 3000, parts.sending - guarantee);
  MemoryShare second(budget, 1024);
  EXPECT_TRUE(second.FitsOrReserve(Lane::kUrgent, 0, guarantee - 1000));
  EXPECT_FALSE(second.FitsOrReserve(Lane::kUrgent, guarantee - 1000, 5000));
}

// --- receiving ---

TEST(SessionMemory, RoomForLargePayloadsIsGivenInTheOrderOfTheLine) {
  const MemoryParts parts = LeastParts();
  auto budget = std::make_shared<MemoryBudget>(parts, 3, 1024);
  MemoryShare first(budget, 1024), second(budget, 1024), third(budget, 1024);
  ReassemblyClaim held = first.Claim(parts.record_bytes_max - 1000);
  ASSERT_TRUE(held);
  EXPECT_FALSE(second.Claim(parts.record_bytes_max));
  // It would fit, and would make the larger one wait for ever.
  EXPECT_FALSE(third.Claim(1000));
  held.Drop();
  EXPECT_FALSE(third.Claim(1000));
  ReassemblyClaim next = second.Claim(parts.record_bytes_max - 1000);
  EXPECT_TRUE(next);
  EXPECT_TRUE(third.Claim(1000));
}

TEST(SessionMemory, WindowsAreSharedOut) {
  MemoryParts parts = LeastParts();
  parts.windows = 64 << 10;
  Star star(8, /*sends=*/false, parts);
  star.Connect();
  for (const auto& pair : star.pairs()) {
    pair->two.consumes = false;
    Fill(&pair->one, 900);
    pair->Advance(absl::Seconds(1));
    EXPECT_LE(pair->one.Stats().unconsumed_bytes, parts.windows / 8);
    EXPECT_GT(pair->one.Stats().unconsumed_bytes, 0u);
  }
  star.Check();
  for (const auto& pair : star.pairs()) {
    pair->two.consumes = true;
    pair->two.Consume();
    pair->Advance(absl::Seconds(2));
    EXPECT_TRUE(pair->one.session->Drained());
    EXPECT_EQ(pair->two.Stats().Refused(RefusalReason::kOverrun), 0u);
  }
}

// A session that is added later gets the rest, and never less than a frame.
TEST(SessionMemory, AWindowIsNeverLessThanAFrame) {
  MemoryParts parts = LeastParts();
  parts.windows = 3000;
  auto budget = std::make_shared<MemoryBudget>(parts, 2, 1024);
  std::vector<std::unique_ptr<MemoryShare>> shares;
  for (int i = 0; i < 5; ++i) {
    shares.push_back(std::make_unique<MemoryShare>(budget, 1 << 20));
    EXPECT_EQ(shares.back()->window_bytes(), i < 2 ? 1500u : FrameCharge(1024));
  }
  shares.erase(shares.begin(), shares.begin() + 4);
  MemoryShare again(budget, 1 << 20);
  EXPECT_EQ(again.window_bytes(), FrameCharge(1024));
}

// Two peers begin a large payload, and there is room for one.
class TwoLargePayloads : public testing::Test {
 protected:
  TwoLargePayloads() {
    star_.Connect();
    EXPECT_EQ(first_.one.Append(large_), SendOutcome::kAccepted);
    EXPECT_EQ(second_.one.Append(large_), SendOutcome::kAccepted);
    // The first one begins.
    for (const std::string& frame : first_.one.Speak()) first_.two.Hear(frame);
  }

  void Advance(SessionPair* pair, absl::Duration duration) {
    pair->Advance(duration);
    star_.Check();
  }
  // Only its clock goes on: the peer at the other end is dead.
  void Starve(SessionPair* pair, absl::Duration duration) {
    pair->one_is_heard = false;
    Advance(pair, duration);
  }

  const std::string large_ = std::string(kPayload, 'x');
  Star star_{2, /*sends=*/false, LeastParts(), kLongQueues};
  SessionPair& first_ = star_[0];
  SessionPair& second_ = star_[1];
};

TEST_F(TwoLargePayloads, TheSecondWaitsForTheFirstAndLosesNothing) {
  Advance(&second_, absl::Seconds(1));
  EXPECT_TRUE(second_.two.taken.empty());
  // Its credit is withheld: it has sent no more than a window.
  EXPECT_GT(second_.two.Stats().held_bytes, 0u);
  EXPECT_LE(second_.one.Stats().unconsumed_bytes,
            second_.two.config.window_bytes);
  Advance(&first_, absl::Seconds(1));
  EXPECT_EQ(first_.two.Payloads(), Strings{large_});
  Advance(&second_, absl::Seconds(1));
  EXPECT_EQ(second_.two.Payloads(), Strings{large_});
  EXPECT_TRUE(second_.one.session->Drained());
  EXPECT_EQ(second_.one.Events(), "up");
  EXPECT_EQ(star_.budget().reassembly_bytes(), 0u);
}

TEST_F(TwoLargePayloads, WhatFollowsInTheLaneKeepsItsOrderAndOthersPass) {
  EXPECT_EQ(second_.one.Append("after"), SendOutcome::kAccepted);
  EXPECT_EQ(second_.one.Append("urgent", Lane::kUrgent),
            SendOutcome::kAccepted);
  Advance(&second_, absl::Seconds(1));
  EXPECT_EQ(second_.two.Payloads(), Strings{"urgent"});
  Advance(&first_, absl::Seconds(1));
  Advance(&second_, absl::Seconds(1));
  EXPECT_EQ(second_.two.Payloads(), (Strings{"urgent", large_, "after"}));
  EXPECT_TRUE(second_.one.session->Drained());
}

// A record that the application has not taken has its room still.
TEST_F(TwoLargePayloads, AnUntakenRecordKeepsItsRoom) {
  first_.two.consumes = false;
  Advance(&first_, absl::Seconds(1));
  ASSERT_EQ(first_.two.Pending(), 1);
  Advance(&second_, absl::Seconds(10));
  EXPECT_TRUE(second_.two.taken.empty());
  // And that is not the peer's fault.
  Advance(&first_, absl::Seconds(10));
  EXPECT_EQ(first_.two.Events(), "up");
  first_.two.Consume();
  Advance(&second_, absl::Seconds(1));
  EXPECT_EQ(second_.two.Payloads(), Strings{large_});
}

// Nor is it the peer's fault where this server's application does not read what
// came before: the credit for the rest is withheld.
TEST_F(TwoLargePayloads, AnApplicationThatDoesNotReadCostsNobodyASession) {
  Advance(&second_, absl::Seconds(1));
  first_.two.consumes = false;
  EXPECT_EQ(first_.one.Append("unread", Lane::kUrgent), SendOutcome::kAccepted);
  Advance(&first_, absl::Seconds(10));
  EXPECT_TRUE(first_.two.taken.empty());
  EXPECT_GT(star_.budget().reassembly_bytes(), 0u);
  EXPECT_EQ(first_.two.Events(), "up");
  first_.two.consumes = true;
  first_.two.Consume();
  Advance(&first_, absl::Seconds(3));
  EXPECT_EQ(first_.two.Payloads(), (Strings{"unread", large_}));
}

TEST_F(TwoLargePayloads, ARecordThatStandsStillGivesItsRoomToThoseWhoWait) {
  Advance(&second_, absl::Seconds(1));
  Starve(&first_, absl::Seconds(3));
  EXPECT_EQ(first_.two.Stats().Refused(RefusalReason::kStalled), 1u);
  EXPECT_EQ(first_.two.Stats().last_trouble,
            "a large payload of its stood still for 2s while others waited for "
            "its room (memory_bytes_max)");
  Advance(&second_, absl::Seconds(1));
  EXPECT_EQ(second_.two.Payloads(), Strings{large_});
  // The peer comes back: a new session, reported, and the accounts hold.
  first_.one_is_heard = true;
  Advance(&first_, absl::Seconds(3));
  EXPECT_TRUE(first_.one.session->up());
  EXPECT_EQ(first_.one.Stats().sessions, 2u);
  EXPECT_TRUE(AddsUp(first_.one.Stats()));
  EXPECT_EQ(first_.one.Append("again"), SendOutcome::kAccepted);
  Advance(&first_, absl::Seconds(1));
  EXPECT_EQ(first_.two.Payloads().back(), "again");
}

TEST_F(TwoLargePayloads, ARecordMayStandStillWhileNobodyWaits) {
  Starve(&first_, absl::Seconds(20));
  EXPECT_EQ(first_.two.Stats().Refused(RefusalReason::kStalled), 0u);
  first_.one_is_heard = true;
  Advance(&first_, absl::Seconds(3));
  EXPECT_EQ(first_.two.Payloads(), Strings{large_});
  EXPECT_EQ(first_.one.Stats().sessions, 1u);
}

TEST_F(TwoLargePayloads, APeerThatIsRemovedGivesItsRoomBack) {
  Advance(&second_, absl::Seconds(1));
  first_.two.Restart(3003);
  Advance(&second_, absl::Seconds(1));
  EXPECT_EQ(second_.two.Payloads(), Strings{large_});
  // And so does one that leaves the line.
  EXPECT_EQ(second_.one.Append(large_), SendOutcome::kAccepted);
  for (const std::string& frame : second_.one.Speak()) second_.two.Hear(frame);
  EXPECT_GT(star_.budget().reassembly_bytes(), 0u);
  second_.two.Restart(4004);
  EXPECT_EQ(star_.budget().reassembly_bytes(), 0u);
}

// Large payloads in all lanes of all peers at once, frame by frame in a random
// order. With room for one record and two more of one session none waits for ever.
TEST(SessionMemory, LargePayloadsInAllLanesAtOnceComplete) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::mt19937_64 dice(seed);
    Star star(4, /*sends=*/false, LeastParts(), [](SessionConfig* config) {
      config->queue_bytes_max = 4 << 20;
      config->window_bytes = 16 << 10;
    });
    star.Connect();
    int sent = 0;
    for (const auto& pair : star.pairs()) {
      pair->two.consumes = seed % 2 == 0;
      for (int i = 0; i < 9; ++i, ++sent) {
        ASSERT_EQ(pair->one.Append(std::string(1 + dice() % kPayload, 'x'),
                                   static_cast<Lane>(dice() % kLanes)),
                  SendOutcome::kAccepted);
        // A part of it leaves: what comes next in a more urgent lane overtakes.
        for (const std::string& frame : pair->one.Speak(1))
          pair->two.Hear(frame);
        for (const std::string& frame : pair->two.Speak())
          pair->one.Hear(frame);
      }
    }
    int taken = 0;
    for (int step = 0; step < 20000 && taken < sent; ++step) {
      SessionPair& pair = star[static_cast<int>(dice() % 4)];
      if (dice() % 8 == 0) {
        pair.Advance(absl::Milliseconds(10));
      } else {
        for (const std::string& frame : pair.one.Speak(1)) pair.two.Hear(frame);
        for (const std::string& frame : pair.two.Speak()) pair.one.Hear(frame);
      }
      if (dice() % 4 == 0) pair.two.Consume(1);
      star.Check();
      taken = 0;
      for (const auto& each : star.pairs())
        taken += static_cast<int>(each->two.taken.size());
    }
    ASSERT_EQ(taken, sent) << "seed " << seed;
    for (const auto& pair : star.pairs()) EXPECT_EQ(pair->one.Events(), "up");
  }
}

// --- what a peer says ---

// A peer that grants a window without an end and acknowledges receipt alone.
TEST(SessionMemory, AWindowWithoutAnEndIsNotBelieved) {
  SessionPair pair(kLongQueues);
  pair.two.consumes = false;
  pair.two.config.window_bytes = std::size_t{1} << 62;
  pair.two.Restart(2002);
  pair.Connect();
  Fill(&pair.one, 1000);
  pair.Advance(absl::Seconds(10));
  EXPECT_GT(pair.one.Stats().unconsumed_bytes,
            pair.one.config.window_bytes / 2);
  EXPECT_LE(pair.one.Stats().unconsumed_bytes, pair.one.config.window_bytes);
  pair.two.consumes = true;
  pair.two.Consume();
  pair.Advance(absl::Seconds(60));
  EXPECT_TRUE(pair.one.session->Drained());
}

// The bound of an unfinished record is four thirds of a payload, whichever
// codec a frame names. A record that claims more is refused and counted.
TEST(SessionMemory, ARecordClaimsAtMostFourThirdsOfAPayload) {
  const std::size_t most = RecordBytesLimit(kPayload);
  EXPECT_EQ(most, kPayload + kPayload / 3 + 4096);
  for (const std::uint8_t codec : {1, 2, 63}) {
    for (const std::size_t claim : {most, most + 1, 6 * kPayload}) {
      SessionPair pair;
      pair.Connect();
      pair.one.Append(std::string(kPayload, 'x'));
      const Strings frames = pair.one.Speak(1);
      ASSERT_EQ(HeaderOf(frames[0]).chunk, ChunkState::kFirst);
      pair.two.Hear(Forged(frames[0], [&](FrameHeader* header) {
        header->codec = codec;
        header->chunk_total_bytes = claim;
      }));
      EXPECT_EQ(pair.two.Stats().Refused(RefusalReason::kBadRecord),
                claim > most ? 1u : 0u)
          << claim;
      EXPECT_LE(pair.two.config.memory->reassembly_bytes(), most);
    }
  }
}

}  // namespace
}  // namespace cluster::internal
