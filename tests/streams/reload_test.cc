// Reloads of key files: which peers stay, which go, and the state after an
// error.

#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/recording_handler.h"
#include "gtest/gtest.h"
#include "tests/streams/backend.h"
#include "tests/streams/secured_nodes.h"

namespace cluster::internal {
namespace streams {
namespace {

// Server 1 is connected with 2 and 3, both ways.
class ReloadTest : public testing::Test {
 protected:
  void SetUp() override {
    one_ = StartSecured(keys_.ConfigOf(1));
    two_ = StartSecured(keys_.ConfigOf(2));
    three_ = StartSecured(keys_.ConfigOf(3));
    ASSERT_TRUE(one_ != nullptr && two_ != nullptr && three_ != nullptr);
    ConnectBoth(*one_, 1, *two_, 2);
    ConnectBoth(*one_, 1, *three_, 3);
    ExpectReached(*two_, 2);
    ExpectReached(*three_, 3);
  }

  // Server 1 and `other` exchange frames.
  void ExpectReached(TestNode& other, int id) {
    const std::string text = absl::StrCat("reached ", ++count_);
    EXPECT_TRUE(Delivers(other, 1, *one_, text)) << id;
    EXPECT_TRUE(Delivers(*one_, id, other, text)) << id;
  }

  int Losses(int peer) {
    return Recorded::Count(one_->handler.Get().disconnected, peer);
  }

  const stream::TestKeys keys_{{1, 2, 3}};
  int count_ = 0;
  std::unique_ptr<TestNode> one_;
  std::unique_ptr<TestNode> two_;
  std::unique_ptr<TestNode> three_;
};

TEST_F(ReloadTest, WithTheSameFilesNobodyIsDisturbed) {
  ASSERT_TRUE(one_->transport->ReloadSecurity(keys_.FilesOf(1)).ok());
  ExpectReached(*two_, 2);
  ExpectReached(*three_, 3);
  EXPECT_EQ(Losses(2), 0);
  EXPECT_EQ(Losses(3), 0);
}

TEST_F(ReloadTest, ARevokedPeerIsCutOffBothWaysAndOthersAreNot) {
  SecurityFiles files = keys_.FilesOf(1);
  files.peers.erase(2);
  ASSERT_TRUE(one_->transport->ReloadSecurity(files).ok());
  one_->handler.ClearFrames();
  const std::size_t frames_of_two = two_->handler.Get().frame_count;
  (void)two_->Send(1, "of the revoked");
  (void)one_->Send(2, "to the revoked");
  // The connection of 2 is closed; 2 dials again and is refused.
  ASSERT_TRUE(two_->handler.WaitForDisconnected(1, 2));
  EXPECT_TRUE(one_->handler.WaitForRejection(RefusalReason::kUnauthenticated));
  ASSERT_TRUE(one_->handler.WaitFor([](const Recorded& r) {
    return absl::StrContains(r.reason, "not among the peers");
  }));
  ExpectReached(*three_, 3);
  EXPECT_EQ(Losses(3), 0);
  EXPECT_FALSE(one_->handler.Get().HasFrame("of the revoked"));
  EXPECT_EQ(two_->handler.Get().frame_count, frames_of_two);

  // Server 2 is admitted again.
  ASSERT_TRUE(one_->transport->ReloadSecurity(keys_.FilesOf(1)).ok());
  ExpectReached(*two_, 2);
}

TEST_F(ReloadTest, APeerWithANewKeyUsesIt) {
  const stream::TestKeys fresh({2});
  SecurityFiles of_two = keys_.FilesOf(2);
  of_two.identity = fresh.OwnFolder(2);
  SecurityFiles of_one = keys_.FilesOf(1);
  of_one.peers[2] = fresh.PublicFolder(2);
  ASSERT_TRUE(two_->transport->ReloadSecurity(of_two).ok());
  // Existing connections keep the old key until 1 reloads too.
  ExpectReached(*two_, 2);
  EXPECT_EQ(Losses(2), 0);
  ASSERT_TRUE(one_->transport->ReloadSecurity(of_one).ok());
  ASSERT_TRUE(one_->handler.WaitForDisconnected(2));
  ASSERT_TRUE(one_->handler.WaitForConnected(2, 2));
  ExpectReached(*two_, 2);
  ExpectReached(*three_, 3);
  EXPECT_EQ(Losses(3), 0);
  // The old key is refused now.
  TransportConfig old = keys_.ConfigOf(2);
  auto late = StartSecured(old);
  ASSERT_TRUE(late->Connect(1, one_->transport->Address()).ok());
  EXPECT_TRUE(late->handler.WaitForDisconnected(1));
  EXPECT_TRUE(late->handler.Get().connected.empty());
}

TEST_F(ReloadTest, AfterAnErrorAllIsAsItWas) {
  SecurityFiles files = keys_.FilesOf(1);
  files.peers[2] = "/nowhere";
  EXPECT_FALSE(one_->transport->ReloadSecurity(files).ok());
  ExpectReached(*two_, 2);
  EXPECT_EQ(Losses(2), 0);
}

TEST_F(ReloadTest, AHalfCopiedPairChangesNothing) {
  std::filesystem::copy_file(keys_.OwnFolder(3) + "/tls.crt",
                             keys_.OwnFolder(1) + "/tls.crt",
                             std::filesystem::copy_options::overwrite_existing);
  const absl::Status status = one_->transport->ReloadSecurity(keys_.FilesOf(1));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "are not of one pair"))
      << status;
  ExpectReached(*two_, 2);
  EXPECT_EQ(Losses(2), 0);
  // New connections still use the old pair.
  ASSERT_TRUE(one_->Connect(2, two_->transport->Address()).ok());
  ASSERT_TRUE(two_->Connect(1, one_->transport->Address()).ok());
  ASSERT_TRUE(one_->handler.WaitForConnected(2, 2));
  ASSERT_TRUE(two_->handler.WaitForConnected(1, 2));
  ExpectReached(*two_, 2);
}

TEST_F(ReloadTest, WhoHasNoSecurityHasNothingToReload) {
  auto plain = NewBackend(TransportConfig());
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ((*plain)->ReloadSecurity(keys_.FilesOf(1)).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(ReloadTest, AnOpenPrivateKeyIsRefused) {
  const std::string key = keys_.OwnFolder(1) + "/tls.key";
  ASSERT_EQ(chmod(key.c_str(), 0644), 0);
  const absl::Status status = NewBackend(keys_.ConfigOf(1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "chmod 600 " + key))
      << status;
}

TEST_F(ReloadTest, WhatIsNoKeyIsRefused) {
  TransportConfig config = keys_.ConfigOf(1);
  config.security->peers[2] = keys_.OwnFolder(9);
  EXPECT_EQ(NewBackend(config).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace streams
}  // namespace cluster::internal
