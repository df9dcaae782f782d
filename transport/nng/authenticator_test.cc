#include "transport/nng/authenticator.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "transport/nng/secured_nodes.h"

namespace cluster {
namespace nng {
namespace {

struct FakeLink final : AcceptedLink {
  void Refuse(Rejection) override { refused = true; }
  void Revoke() override { revoked = true; }

  bool refused = false;
  bool revoked = false;
};

// Of server 1; 2 and 3 are its peers.
class AuthenticatorTest : public testing::Test {
 protected:
  std::shared_ptr<const TlsMaterial> Material(int without = 0) const {
    SecurityFiles files = keys_.FilesOf(1);
    files.peers.erase(without);
    auto material = TlsMaterial::Load(files, TransportConfig().cluster, 1);
    EXPECT_TRUE(material.ok()) << material.status();
    return *std::move(material);
  }

  absl::optional<InboundId> Admit(const std::shared_ptr<FakeLink>& link) {
    return authenticator_.Admit(authenticator_.generation(), link);
  }

  // The link says that it is `peer`, and proves it.
  void Prove(InboundId id, int peer) {
    LinkTag tag{};
    authenticator_.Dialled(peer, &tag);
    authenticator_.OnMessage(id, HelloMessage(peer, LinkTag{}));
    const auto challenges = authenticator_.TakeMessages(peer);
    ASSERT_EQ(challenges.size(), 1u);
    const Nonce nonce = ParseProofMessage(challenges[0])->nonce;
    EXPECT_EQ(authenticator_.OnMessage(id, ProofOf(nonce)), peer);
  }

  const TestKeys keys_{{1, 2, 3}};
  Authenticator authenticator_{1, Material(), [](int) { return nullptr; }};
};

TEST_F(AuthenticatorTest, WhatBeganBeforeAReloadIsNotAdmitted) {
  const auto link = std::make_shared<FakeLink>();
  const std::uint64_t before = authenticator_.generation();
  EXPECT_TRUE(authenticator_.Admit(before, link).has_value());
  authenticator_.Reload(Material());
  EXPECT_FALSE(authenticator_.Admit(before, link).has_value());
  EXPECT_TRUE(Admit(link).has_value());
}

// It may have been let in by what is no longer in force.
TEST_F(AuthenticatorTest, ALinkThatIsNotProvenDoesNotOutliveAReload) {
  const auto silent = std::make_shared<FakeLink>();
  const auto claimed = std::make_shared<FakeLink>();
  ASSERT_TRUE(Admit(silent).has_value());
  authenticator_.OnMessage(*Admit(claimed), HelloMessage(2, LinkTag{}));
  authenticator_.Reload(Material());
  EXPECT_TRUE(silent->revoked);
  EXPECT_TRUE(claimed->revoked);
}

TEST_F(AuthenticatorTest, AProvenLinkEndsWithItsPeersCertificateOnly) {
  const auto two = std::make_shared<FakeLink>();
  const auto three = std::make_shared<FakeLink>();
  Prove(*Admit(two), 2);
  Prove(*Admit(three), 3);
  EXPECT_TRUE(authenticator_.Reload(Material()).empty());
  EXPECT_FALSE(two->revoked);
  EXPECT_EQ(authenticator_.Reload(Material(2)), std::set<int>{2});
  EXPECT_TRUE(two->revoked);
  EXPECT_FALSE(three->revoked);
}

// What it said last may be on its way to the handler still.
TEST_F(AuthenticatorTest, AClosedLinkIsRevokedUntilItHasEnded) {
  const auto closed = std::make_shared<FakeLink>();
  const auto ended = std::make_shared<FakeLink>();
  const InboundId closed_id = *Admit(closed);
  const InboundId ended_id = *Admit(ended);
  Prove(closed_id, 2);
  Prove(ended_id, 2);
  authenticator_.Closed(closed_id);
  authenticator_.Closed(ended_id);
  authenticator_.Ended(ended_id);
  authenticator_.Reload(Material(2));
  EXPECT_TRUE(closed->revoked);
  EXPECT_FALSE(ended->revoked);
}

TEST_F(AuthenticatorTest, OneThatIsTooManyIsRefused) {
  std::vector<std::shared_ptr<FakeLink>> links;
  for (std::size_t i = 0; i <= IdentityProof::kProvenMax; ++i) {
    links.push_back(std::make_shared<FakeLink>());
    Prove(*Admit(links.back()), 2);
  }
  EXPECT_TRUE(links.front()->refused);
  links.erase(links.begin());
  for (const auto& link : links) EXPECT_FALSE(link->refused);
}

}  // namespace
}  // namespace nng
}  // namespace cluster
