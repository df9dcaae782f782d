#include "transport/nng/identity_proof.h"

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "transport/nng/proof_links.h"

namespace cluster {
namespace nng {
namespace {

TEST_F(IdentityProofTest, BothDirectionsAtOnceAreProven) {
  auto there = Dial(&one_, 1, &two_, 2);
  auto back = Dial(&two_, 2, &one_, 1);
  CarryAll({there.get(), back.get()});
  EXPECT_TRUE(there->usable);
  EXPECT_TRUE(back->usable);
  EXPECT_EQ(there->proven, 1);
  EXPECT_EQ(back->proven, 2);
  EXPECT_EQ(one_.proof.unproven(), 0u);
}

TEST_F(IdentityProofTest, OneDirectionWaitsForTheOther) {
  auto there = Dial(&one_, 1, &two_, 2);
  CarryAll({there.get()});
  EXPECT_FALSE(there->usable);
  EXPECT_FALSE(there->proven.has_value());
  auto back = Dial(&two_, 2, &one_, 1);
  CarryAll({there.get(), back.get()});
  EXPECT_EQ(there->proven, 1);
  EXPECT_EQ(back->proven, 2);
}

// In whatever order messages of the two directions are carried, and whenever
// which of them is lost and dialled again, both end proven.
TEST_F(IdentityProofTest, AnyOrderAndAnyLossConverges) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 500; ++round) {
    Server one(1);
    Server two(2);
    std::unique_ptr<Link> there = Dial(&one, 1, &two, 2);
    std::unique_ptr<Link> back = Dial(&two, 2, &one, 1);
    int losses = 5;
    while (!there->wire.empty() || !back->wire.empty()) {
      const unsigned choice = random() % 8;
      if (choice == 0 && losses > 0) {
        --losses;
        // The end may be seen late, or after the next dial.
        if (random() % 2 == 0) one.proof.Lost(2, there->tag);
        const InboundId old = there->inbound;
        if (random() % 2 == 0) two.proof.Closed(old);
        there = Dial(&one, 1, &two, 2);
      } else if (choice == 1 && losses > 0) {
        --losses;
        two.proof.Lost(1, back->tag);
        one.proof.Closed(back->inbound);
        back = Dial(&two, 2, &one, 1);
      } else {
        Link* const link = choice % 2 == 0 ? there.get() : back.get();
        if (link->wire.empty()) continue;
        // Nobody here is anybody else.
        ASSERT_EQ(Carry(link, {there.get(), back.get()}), 0u) << round;
      }
    }
    ASSERT_TRUE(there->usable && back->usable) << round;
    ASSERT_EQ(there->proven, 1) << round;
    ASSERT_EQ(back->proven, 2) << round;
  }
}

TEST_F(IdentityProofTest,
       ALinkThatIsDialledAgainIsProvenAgainAndTheOtherIsNot) {
  auto there = Dial(&one_, 1, &two_, 2);
  auto back = Dial(&two_, 2, &one_, 1);
  CarryAll({there.get(), back.get()});
  one_.proof.Lost(2, there->tag);
  two_.proof.Closed(there->inbound);
  auto again = Dial(&one_, 1, &two_, 2);
  EXPECT_FALSE(again->usable);
  CarryAll({again.get(), back.get()});
  EXPECT_TRUE(again->usable);
  EXPECT_EQ(again->proven, 1);
  EXPECT_TRUE(back->refused.empty());
}

TEST_F(IdentityProofTest,
       AMemberThatClaimsAnothersIdIsDeniedAndTheTrueOneIsNot) {
  // 1 and 2 know each other; 3 dials 1 and says that it is 2.
  auto there = Dial(&one_, 1, &two_, 2);
  auto back = Dial(&two_, 2, &one_, 1);
  CarryAll({there.get(), back.get()});
  const InboundId lie = one_.Accept();
  LinkTag tag{};
  tag.fill('t');
  Verdict verdict = one_.proof.OnMessage(lie, HelloMessage(2, tag));
  EXPECT_EQ(verdict.waiting_for, 2);
  there->Fetch();
  ASSERT_EQ(there->wire.size(), 1u);
  verdict = two_.proof.OnMessage(there->inbound, there->wire.front());
  EXPECT_TRUE(verdict.answer.empty());
  back->Fetch();
  ASSERT_EQ(back->wire.size(), 1u);
  verdict = one_.proof.OnMessage(back->inbound, back->wire.front());
  ASSERT_EQ(verdict.refused.size(), 1u);
  EXPECT_EQ(verdict.refused[0].link, lie);
  EXPECT_EQ(verdict.refused[0].rejection.kind, RejectionKind::kWrongIdentity);
  EXPECT_EQ(verdict.refused[0].rejection.peer, 2);
  // What comes on it after all changes nothing.
  verdict = one_.proof.OnMessage(lie, ProofOf(Nonce{}));
  EXPECT_FALSE(verdict.proven.has_value());
}

// 1 has given a link up, and dialled again, when 2 asks about it.
TEST_F(IdentityProofTest, ALinkThatWasGivenUpIsNotDenied) {
  auto back = Dial(&two_, 2, &one_, 1);
  auto there = Dial(&one_, 1, &two_, 2);
  Carry(there.get(), {there.get(), back.get()});  // its hello
  ASSERT_EQ(back->wire.size(), 2u);               // with a challenge
  one_.proof.Lost(2, there->tag);
  auto again = Dial(&one_, 1, &two_, 2);
  CarryAll({again.get(), back.get()});
  EXPECT_EQ(again->proven, 1);
  EXPECT_EQ(back->proven, 2);
  EXPECT_EQ(two_.proof.Unproven(), std::vector<InboundId>{there->inbound});
}

TEST_F(IdentityProofTest, TheNonceOfAnotherConnectionIsRefused) {
  LinkTag tag_a{};
  LinkTag tag_b{};
  tag_b.fill('b');
  const InboundId a = one_.Accept();
  const InboundId b = one_.Accept();
  one_.proof.OnMessage(a, HelloMessage(2, tag_a));
  one_.proof.OnMessage(b, HelloMessage(2, tag_b));
  LinkTag own{};
  one_.proof.Dialled(2, &own);
  const auto challenges = one_.proof.TakeMessages(2);
  ASSERT_EQ(challenges.size(), 2u);
  const auto of_a = ParseProofMessage(challenges[0]);
  ASSERT_TRUE(of_a.has_value());
  EXPECT_EQ(of_a->tag, tag_a);
  // The proof of a, on b; then there is no second attempt.
  Verdict verdict = one_.proof.OnMessage(b, ProofOf(of_a->nonce));
  EXPECT_FALSE(verdict.proven.has_value());
  ASSERT_EQ(verdict.refused.size(), 1u);
  EXPECT_EQ(verdict.refused[0].link, b);
  EXPECT_EQ(verdict.refused[0].rejection.kind, RejectionKind::kWrongIdentity);
  const auto of_b = ParseProofMessage(challenges[1]);
  EXPECT_FALSE(
      one_.proof.OnMessage(b, ProofOf(of_b->nonce)).proven.has_value());
  // And a replay of it on a later connection.
  EXPECT_EQ(one_.proof.OnMessage(a, ProofOf(of_a->nonce)).proven, 2);
  const InboundId later = one_.Accept();
  one_.proof.OnMessage(later, HelloMessage(2, tag_a));
  EXPECT_FALSE(
      one_.proof.OnMessage(later, ProofOf(of_a->nonce)).proven.has_value());
}

TEST_F(IdentityProofTest, ANonceIsComparedWhole) {
  for (std::size_t at = 0; at < sizeof(Nonce); ++at) {
    Server one(1);
    const InboundId link = one.Accept();
    one.proof.OnMessage(link, HelloMessage(2, LinkTag{}));
    LinkTag own{};
    one.proof.Dialled(2, &own);
    Nonce nonce = ParseProofMessage(one.proof.TakeMessages(2).at(0))->nonce;
    nonce[at] = static_cast<char>(nonce[at] ^ 1);
    EXPECT_FALSE(one.proof.OnMessage(link, ProofOf(nonce)).proven.has_value())
        << at;
  }
}

// 3 pretends to be 1 and asks 2 things.
TEST_F(IdentityProofTest, AForgedChallengeIsDeniedAndHarmsNoProof) {
  auto there = Dial(&one_, 1, &two_, 2);
  auto back = Dial(&two_, 2, &one_, 1);
  const InboundId lie = two_.Accept();
  two_.proof.OnMessage(lie, HelloMessage(1, LinkTag{}));
  for (int i = 0; i < IdentityProof::kChallengesMax; ++i) {
    Verdict verdict =
        two_.proof.OnMessage(lie, ChallengeMessage(LinkTag{}, Nonce{}));
    EXPECT_TRUE(verdict.answer.empty());
    EXPECT_TRUE(verdict.refused.empty());
  }
  back->Fetch();
  EXPECT_LE(back->wire.size(),
            1 + IdentityProof::kDenialsMax + IdentityProof::kClaimsMax);
  const Verdict verdict =
      two_.proof.OnMessage(lie, ChallengeMessage(LinkTag{}, Nonce{}));
  ASSERT_EQ(verdict.refused.size(), 1u);
  EXPECT_EQ(verdict.refused[0].rejection.kind, RejectionKind::kMalformed);
  CarryAll({there.get(), back.get()});
  EXPECT_EQ(there->proven, 1);
  EXPECT_EQ(back->proven, 2);
}

TEST_F(IdentityProofTest, HelloIsOneAndOfAListedServer) {
  const InboundId own = one_.Accept();
  Verdict verdict = one_.proof.OnMessage(own, HelloMessage(1, LinkTag{}));
  ASSERT_EQ(verdict.refused.size(), 1u);
  EXPECT_EQ(verdict.refused[0].rejection.kind, RejectionKind::kWrongIdentity);
  const InboundId unlisted = one_.Accept();
  verdict = one_.proof.OnMessage(unlisted, HelloMessage(7, LinkTag{}));
  ASSERT_EQ(verdict.refused.size(), 1u);
  EXPECT_EQ(verdict.refused[0].rejection.kind, RejectionKind::kUnauthenticated);
  const InboundId twice = one_.Accept();
  one_.proof.OnMessage(twice, HelloMessage(2, LinkTag{}));
  verdict = one_.proof.OnMessage(twice, HelloMessage(3, LinkTag{}));
  ASSERT_EQ(verdict.refused.size(), 1u);
  EXPECT_EQ(verdict.refused[0].rejection.kind, RejectionKind::kMalformed);
}

TEST_F(IdentityProofTest, NothingElseComesFirst) {
  for (const std::string& message :
       {ChallengeMessage(LinkTag{}, Nonce{}), ProofOf(Nonce{}),
        DenialOf(Nonce{}), PaddingMessage(), std::string(),
        std::string("\x09")}) {
    const InboundId link = one_.Accept();
    const Verdict verdict = one_.proof.OnMessage(link, message);
    ASSERT_EQ(verdict.refused.size(), 1u);
    EXPECT_EQ(verdict.refused[0].rejection.kind, RejectionKind::kMalformed);
  }
}

TEST_F(IdentityProofTest, WhoIsLateIsToldWhatWasMissing) {
  const InboundId silent = one_.Accept();
  EXPECT_FALSE(one_.proof.TooLate(silent).peer.has_value());
  const InboundId claimed = one_.Accept();
  one_.proof.OnMessage(claimed, HelloMessage(2, LinkTag{}));
  const Rejection unasked = one_.proof.TooLate(claimed);
  EXPECT_EQ(unasked.peer, 2);
  LinkTag own{};
  one_.proof.Dialled(2, &own);
  one_.proof.TakeMessages(2);
  EXPECT_NE(one_.proof.TooLate(claimed).reason, unasked.reason);
}

}  // namespace
}  // namespace nng
}  // namespace cluster
