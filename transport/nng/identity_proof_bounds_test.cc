// How many links IdentityProof bears, and which it gives up.

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "transport/nng/identity_proof.h"
#include "transport/nng/proof_links.h"

namespace cluster {
namespace nng {
namespace {

TEST_F(IdentityProofTest, LinksThatSayNothingAreBoundedOldestFirst) {
  const InboundId claimed = one_.Accept();
  one_.proof.OnMessage(claimed, HelloMessage(2, LinkTag{}));
  const InboundId oldest = one_.Accept();
  for (std::size_t i = 2; i < IdentityProof::kUnprovenMax; ++i) one_.Accept();
  Verdict verdict;
  one_.proof.Accepted(&verdict);
  ASSERT_EQ(verdict.refused.size(), 1u);
  EXPECT_EQ(verdict.refused[0].link, oldest);
  EXPECT_EQ(verdict.refused[0].rejection.kind, RejectionKind::kSilent);
  EXPECT_EQ(one_.proof.unproven(), IdentityProof::kUnprovenMax);
}

TEST_F(IdentityProofTest, ClaimsOfOneIdAreBoundedOldestFirst) {
  std::vector<InboundId> links;
  for (std::size_t i = 0; i < IdentityProof::kClaimsMax; ++i) {
    links.push_back(one_.Accept());
    EXPECT_TRUE(one_.proof.OnMessage(links.back(), HelloMessage(2, LinkTag{}))
                    .refused.empty());
  }
  const Verdict verdict =
      one_.proof.OnMessage(one_.Accept(), HelloMessage(2, LinkTag{}));
  ASSERT_EQ(verdict.refused.size(), 1u);
  EXPECT_EQ(verdict.refused[0].link, links[0]);
}

// The ends of the ones before are not seen: they are half-open.
TEST_F(IdentityProofTest, TheLatestLinksOfAPeerStayHoweverOftenItDials) {
  constexpr std::size_t kMax = IdentityProof::kProvenMax;
  auto there = Dial(&one_, 1, &two_, 2);
  std::vector<std::unique_ptr<Link>> backs;
  for (std::size_t i = 0; i < 3 * kMax; ++i) {
    backs.push_back(Dial(&two_, 2, &one_, 1));
    std::vector<Link*> links = {there.get()};
    for (const auto& back : backs) links.push_back(back.get());
    CarryAll(links);
    ASSERT_EQ(backs.back()->proven, 2);
    for (std::size_t j = 0; j < backs.size(); ++j) {
      EXPECT_EQ(backs[j]->refused.size(), j + kMax <= i ? 1u : 0u)
          << j << " of " << backs.size();
    }
  }
  EXPECT_EQ(backs[0]->refused[0].kind, RejectionKind::kSilent);
  EXPECT_EQ(backs[0]->refused[0].peer, 2);
  EXPECT_TRUE(there->refused.empty());
}

TEST_F(IdentityProofTest, ALinkWhoseEndWasSeenCountsNoMore) {
  auto there = Dial(&one_, 1, &two_, 2);
  for (std::size_t i = 0; i < 3 * IdentityProof::kProvenMax; ++i) {
    auto back = Dial(&two_, 2, &one_, 1);
    CarryAll({there.get(), back.get()});
    EXPECT_EQ(back->proven, 2);
    EXPECT_TRUE(back->refused.empty());
    one_.proof.Closed(back->inbound);
    two_.proof.Lost(1, back->tag);
  }
}

// A link that was dialled first, and proven last.
TEST_F(IdentityProofTest, TheOldestIsTheOneThatCameInFirst) {
  const InboundId slow = one_.Accept();
  one_.proof.OnMessage(slow, HelloMessage(2, LinkTag{}));
  LinkTag own{};
  one_.proof.Dialled(2, &own);
  const Nonce nonce =
      ParseProofMessage(one_.proof.TakeMessages(2).at(0))->nonce;
  for (std::size_t i = 0; i < IdentityProof::kProvenMax; ++i) {
    const InboundId link = one_.Accept();
    one_.proof.OnMessage(link, HelloMessage(2, LinkTag{}));
    const auto asked = ParseProofMessage(one_.proof.TakeMessages(2).at(0));
    const Verdict verdict = one_.proof.OnMessage(link, ProofOf(asked->nonce));
    EXPECT_EQ(verdict.proven, 2);
    EXPECT_TRUE(verdict.refused.empty());
  }
  const Verdict verdict = one_.proof.OnMessage(slow, ProofOf(nonce));
  ASSERT_EQ(verdict.refused.size(), 1u);
  EXPECT_EQ(verdict.refused[0].link, slow);
}

}  // namespace
}  // namespace nng
}  // namespace cluster
