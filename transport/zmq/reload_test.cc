// After a reload, connections of a revoked peer carry nothing either way. The
// others do not notice.

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/zmq/testing/socket_path.h"
#include "cluster/transport/zmq/zmq_transport.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"

namespace cluster::internal {
namespace {

class ReloadTest : public testing::Test {
 protected:
  void SetUp() override {
    keys_.cluster = TransportConfig().cluster;
    keys_.server_ids = {1, 2, 3};
    keys_.folder = absl::StrCat(testing::TempDir(), "/reloadXXXXXX");
    ASSERT_NE(mkdtemp(&keys_.folder[0]), nullptr);
    ASSERT_TRUE(MakeKeys(keys_).ok());
    one_ = Start(1);
    two_ = Start(2);
    three_ = Start(3);
    for (Node* other : {two_.get(), three_.get()}) {
      ASSERT_TRUE(other->Connect(1, one_->transport->Address()).ok());
    }
    ASSERT_TRUE(one_->Connect(2, two_->transport->Address()).ok());
    ASSERT_TRUE(one_->Connect(3, three_->transport->Address()).ok());
  }

  // The files of server `id`, without `revoked`.
  SecurityFiles Files(int id, int revoked = 0) const {
    SecurityFiles files;
    files.identity = absl::StrCat(keys_.folder, "/", id);
    for (int peer : keys_.server_ids) {
      if (peer == id || peer == revoked) continue;
      files.peers[peer] = absl::StrCat(keys_.folder, "/public/", peer);
    }
    return files;
  }

  std::unique_ptr<Node> Start(int id,
                              const std::string& address = FreshIpv4Address()) {
    auto node = std::make_unique<Node>();
    TransportConfig config;
    config.server_id = id;
    config.frame_bytes_max = kContractFrameBytesMax;
    config.security = Files(id);
    node->transport = *NewZmqTransport(config);
    const absl::Status status = node->transport->Start(&node->handler, address);
    EXPECT_TRUE(status.ok()) << status;
    return node;
  }

  static bool Arrives(Node* at, const std::string& text) {
    return at->handler.WaitFor(
        [&](const Recorded& r) { return r.HasFrame(text); });
  }

  KeyRequest keys_;
  std::unique_ptr<Node> one_;
  std::unique_ptr<Node> two_;
  std::unique_ptr<Node> three_;
};

TEST_F(ReloadTest, NothingIsSentToARevokedPeer) {
  ASSERT_TRUE(one_->SendWaiting(2, "before"));
  ASSERT_TRUE(Arrives(two_.get(), "before"));
  ASSERT_TRUE(one_->transport->ReloadSecurity(Files(1, 2)).ok());
  EXPECT_TRUE(one_->handler.WaitForDisconnected(2));
  EXPECT_EQ(one_->Send(2, "revoked"), SendResult::kSent);
  // Frames are in order: had that one been sent, it would come before these.
  ASSERT_TRUE(one_->transport->ReloadSecurity(Files(1)).ok());
  ASSERT_TRUE(one_->SendWaiting(2, "after"));
  ASSERT_TRUE(Arrives(two_.get(), "after"));
  EXPECT_EQ(two_->handler.Texts(),
            (std::vector<std::string>{"before", "after"}));
}

TEST_F(ReloadTest, NothingIsTakenFromARevokedPeer) {
  ASSERT_TRUE(two_->SendWaiting(1, "before"));
  ASSERT_TRUE(Arrives(one_.get(), "before"));
  ASSERT_TRUE(one_->transport->ReloadSecurity(Files(1, 2)).ok());
  ASSERT_TRUE(two_->SendWaiting(1, "revoked"));
  EXPECT_TRUE(one_->handler.WaitFor([](const Recorded& r) {
    for (const Rejection& rejection : r.rejections)
      if (rejection.peer == 2) return true;
    return false;
  }));
  EXPECT_FALSE(one_->handler.Get().HasFrame("revoked"));
}

TEST_F(ReloadTest, OthersKeepTheirConnections) {
  ASSERT_TRUE(one_->handler.WaitForConnected(3));
  ASSERT_TRUE(three_->handler.WaitForConnected(1));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(
        one_->transport->ReloadSecurity(Files(1, i % 2 == 0 ? 2 : 0)).ok());
    ASSERT_TRUE(one_->SendWaiting(3, absl::StrCat(i)));
    ASSERT_TRUE(three_->SendWaiting(1, absl::StrCat(i)));
  }
  ASSERT_TRUE(Arrives(one_.get(), "19"));
  ASSERT_TRUE(Arrives(three_.get(), "19"));
  EXPECT_EQ(three_->handler.Texts().size(), 20u);
  EXPECT_EQ(one_->handler.Texts().size(), 20u);
  EXPECT_EQ(Recorded::Count(one_->handler.Get().connected, 3), 1);
  EXPECT_EQ(Recorded::Count(three_->handler.Get().disconnected, 1), 0);
}

TEST_F(ReloadTest, WhoeverWaitsForRoomToARevokedPeerGoesOn) {
  const std::string nobody = Start(3)->transport->Address();
  ASSERT_TRUE(one_->Connect(2, nobody).ok());
  ASSERT_LT(one_->Fill(2, 1000, 100000), 100000u);
  const int before = one_->handler.writable(2);
  ASSERT_TRUE(one_->transport->ReloadSecurity(Files(1, 2)).ok());
  EXPECT_TRUE(one_->handler.WaitForWritable(2, before + 1));
}

// The folder of the address is away when a new own key asks for a new listener.
TEST_F(ReloadTest, AnAddressThatCannotBeBoundAgainChangesNothing) {
  std::string folder = "/tmp/reloadXXXXXX";  // a socket's name is short
  ASSERT_NE(mkdtemp(&folder[0]), nullptr);
  const std::string away = absl::StrCat(folder, ".away");
  auto node = Start(3, absl::StrCat("ipc://", folder, "/3"));
  ASSERT_TRUE(two_->Connect(3, node->transport->Address()).ok());
  ASSERT_TRUE(two_->SendWaiting(3, "before"));
  ASSERT_TRUE(Arrives(node.get(), "before"));

  KeyRequest other = keys_;
  other.folder = absl::StrCat(keys_.folder, "/other");
  ASSERT_TRUE(MakeKeys(other).ok());
  SecurityFiles fresh = Files(3);
  fresh.identity = absl::StrCat(other.folder, "/3");
  ASSERT_EQ(rename(folder.c_str(), away.c_str()), 0);
  EXPECT_FALSE(node->transport->ReloadSecurity(fresh).ok());
  ASSERT_EQ(rename(away.c_str(), folder.c_str()), 0);

  // By itself it listens again, with the key that the others know.
  ASSERT_TRUE(two_->handler.WaitForConnected(3, 2));
  ASSERT_TRUE(two_->SendWaiting(3, "after"));
  EXPECT_TRUE(Arrives(node.get(), "after"));

  // And nothing keeps the next reload from going well.
  ASSERT_EQ(node->transport->ReloadSecurity(fresh), absl::OkStatus());
  SecurityFiles of_two = Files(2);
  of_two.peers[3] = absl::StrCat(other.folder, "/public/3");
  ASSERT_EQ(two_->transport->ReloadSecurity(of_two), absl::OkStatus());
  ASSERT_TRUE(two_->handler.WaitForConnected(3, 3));
  ASSERT_TRUE(two_->SendWaiting(3, "with the new key"));
  EXPECT_TRUE(Arrives(node.get(), "with the new key"));
  node.reset();
  rmdir(folder.c_str());
}

// Another process has taken the path when a new own key asks for a new
// listener. So the reload goes on trying, with keys in force that will not
// stay.
TEST_F(ReloadTest, AConnectDuringAReloadThatFailsMeetsTheOldKeysAfterAll) {
  SocketPath path;
  auto node = Start(1, path.Address());
  ASSERT_TRUE(node->Connect(2, two_->transport->Address()).ok());
  ASSERT_TRUE(node->handler.WaitForConnected(2));
  path.GiveToAnother();
  KeyRequest other = keys_;
  other.folder = absl::StrCat(keys_.folder, "/other");
  ASSERT_TRUE(MakeKeys(other).ok());
  SecurityFiles fresh = Files(1, 3);
  fresh.identity = absl::StrCat(other.folder, "/1");

  std::thread reload(
      [&] { EXPECT_FALSE(node->transport->ReloadSecurity(fresh).ok()); });
  const auto shut_out = [](const Recorded& r) {
    return absl::StrContains(r.reason, "server 3 has no public key");
  };
  do {
    ASSERT_TRUE(node->Connect(3, three_->transport->Address()).ok());
  } while (!node->handler.WaitFor(std::chrono::milliseconds(1), shut_out));
  path.RemoveFolder();  // it gives up
  reload.join();

  ASSERT_TRUE(node->SendWaiting(3, "after all"));
  EXPECT_TRUE(Arrives(three_.get(), "after all"));
  // A peer whose keys did not change lost nothing.
  EXPECT_EQ(Recorded::Count(node->handler.Get().connected, 2), 1);
}

TEST_F(ReloadTest, ABadFileChangesNothing) {
  SecurityFiles bad = Files(1);
  bad.peers[2] = absl::StrCat(keys_.folder, "/none");
  EXPECT_TRUE(absl::IsNotFound(one_->transport->ReloadSecurity(bad)));
  ASSERT_TRUE(one_->SendWaiting(2, "still"));
  EXPECT_TRUE(Arrives(two_.get(), "still"));
}

}  // namespace
}  // namespace cluster::internal
