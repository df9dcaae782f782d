#include "cluster/transport/stream/admission.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cluster/transport/stream/testing/test_keys.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace stream {
namespace {

using ::testing::HasSubstr;

struct Connection final : AcceptedConnection {
  void Refuse(Rejection rejection) override { refusals.push_back(rejection); }
  void Revoke() override { revoked = true; }

  std::vector<Rejection> refusals;
  bool revoked = false;
};

// Server 1 listens; 2 and 3 dial it.
class AdmissionTest : public testing::Test {
 protected:
  struct Admitted {
    std::shared_ptr<Connection> connection = std::make_shared<Connection>();
    std::uint64_t ticket = 0;
  };

  Admitted Admit() {
    Admitted admitted;
    admitted.ticket = admission_.Admit(admitted.connection);
    return admitted;
  }

  // As a TLS session reports it.
  static std::string CertificateOf(const TestKeys& keys, int id) {
    stream::TlsPair pair(keys.MaterialOf(id), 1, keys.MaterialOf(1));
    pair.Carry();
    return pair.listener->certificate();
  }

  const TestKeys keys_{{1, 2, 3}};
  const std::string of_two_ = CertificateOf(keys_, 2);
  const std::string of_three_ = CertificateOf(keys_, 3);
  Admission admission_{keys_.MaterialOf(1)};
};

TEST_F(AdmissionTest, OfTooManyThatHaveProvenNothingTheOldestIsRefused) {
  std::vector<Admitted> admitted;
  const Admitted proven = Admit();
  ASSERT_TRUE(admission_.Prove(proven.ticket, 2, of_two_));
  for (std::size_t i = 0; i < Admission::kUnprovenMax; ++i) {
    admitted.push_back(Admit());
  }
  // A connection that has ended leaves room.
  admission_.Ended(admitted[5].ticket);
  admitted.push_back(Admit());
  EXPECT_TRUE(admitted[0].connection->refusals.empty());
  admitted.push_back(Admit());
  ASSERT_EQ(admitted[0].connection->refusals.size(), 1u);
  EXPECT_EQ(admitted[0].connection->refusals[0].kind, RefusalReason::kSilent);
  EXPECT_THAT(admitted[0].connection->refusals[0].reason,
              HasSubstr("more than 256 connections"));
  EXPECT_TRUE(admitted[1].connection->refusals.empty());
  EXPECT_TRUE(proven.connection->refusals.empty());
  // Its proof comes too late.
  EXPECT_FALSE(admission_.Prove(admitted[0].ticket, 2, of_two_));
}

TEST_F(AdmissionTest, OfTooManyOfOneServerTheOldestIsRefused) {
  std::vector<Admitted> of_two;
  const Admitted three = Admit();
  ASSERT_TRUE(admission_.Prove(three.ticket, 3, of_three_));
  for (std::size_t i = 0; i <= Admission::kProvenMax; ++i) {
    of_two.push_back(Admit());
    ASSERT_TRUE(admission_.Prove(of_two[i].ticket, 2, of_two_));
  }
  ASSERT_EQ(of_two[0].connection->refusals.size(), 1u);
  EXPECT_EQ(of_two[0].connection->refusals[0].peer, 2);
  EXPECT_THAT(of_two[0].connection->refusals[0].reason,
              HasSubstr("server 2 has more than 4 connections to this one"));
  EXPECT_TRUE(of_two[1].connection->refusals.empty());
  EXPECT_TRUE(three.connection->refusals.empty());
}

TEST_F(AdmissionTest, AReloadRevokesThoseThatAreNoLongerPinnedAndNoOthers) {
  const Admitted two = Admit();
  const Admitted three = Admit();
  const Admitted unproven = Admit();
  ASSERT_TRUE(admission_.Prove(two.ticket, 2, of_two_));
  ASSERT_TRUE(admission_.Prove(three.ticket, 3, of_three_));
  admission_.Reload(keys_.MaterialOf(1));
  EXPECT_FALSE(two.connection->revoked);
  TransportConfig config = keys_.ConfigOf(1);
  config.security->peers.erase(2);
  admission_.Reload(stream::LoadMaterial(config));
  EXPECT_TRUE(two.connection->revoked);
  EXPECT_FALSE(three.connection->revoked);
  EXPECT_FALSE(unproven.connection->revoked);
}

// Its handshake began before the reload, so its proof comes too late.
TEST_F(AdmissionTest, WhoIsRevokedDuringItsHandshakeIsNotAdmitted) {
  const Admitted two = Admit();
  const Admitted three = Admit();
  const TestKeys fresh({2});
  TransportConfig config = keys_.ConfigOf(1);
  config.security->peers[2] = fresh.PublicFolder(2);
  admission_.Reload(stream::LoadMaterial(config));
  EXPECT_FALSE(admission_.Prove(two.ticket, 2, of_two_));
  EXPECT_TRUE(admission_.Prove(three.ticket, 3, of_three_));
}

}  // namespace
}  // namespace stream
}  // namespace cluster::internal
