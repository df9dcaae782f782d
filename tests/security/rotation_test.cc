// Replaced keys and revoked peers, while all servers send at full load.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/testing/secret_volume.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"
#include "tests/harness/delivery_ledger.h"
#include "tests/harness/event_log.h"
#include "tests/harness/flood.h"
#include "tests/harness/proxy_mesh.h"
#include "tests/harness/seed.h"
#include "tests/harness/test_cluster.h"

namespace cluster::internal {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::uint64_t kSomeArrivals = 500;

class RotationTest : public testing::Test {
 protected:
  virtual void Adapt(ClusterSpec* /*spec*/) {}

  void SetUp() override {
    ClusterSpec spec;
    spec.config.transport = SECURITY_BACKEND;
    spec.ids = FirstIds(3);
    spec.secured = true;
    spec.route = mesh_.Router();
    spec.on_event = log_.Sink();
    Adapt(&spec);
    spec.on_envelope = [this](int receiver, const EnvelopeView& envelope) {
      ledger_.Arrived(receiver, envelope);
      if (receiver != 3 && envelope.sender_id != 3) ++honest_;
    };
    cluster_ = std::make_unique<TestCluster>(std::move(spec));
    ASSERT_TRUE(cluster_->Start());
    for (int id : cluster_->ids()) {
      std::vector<int> others;
      for (int other : cluster_->ids())
        if (other != id) others.push_back(other);
      floods_.push_back(std::make_unique<Flood>(
          &cluster_->server(id), others,
          PartSeed(TestSeed(), static_cast<std::uint64_t>(id)),
          [this](int receiver, const EnvelopeView& envelope) {
            ledger_.Sent(receiver, envelope);
          }));
    }
    // Only a peer that was up can go down.
    ASSERT_TRUE(log_.WaitUntilAllUp(cluster_->ids()));
    ASSERT_TRUE(ledger_.WaitForArrivals(kSomeArrivals));
  }

  void Reload(const std::vector<int>& ids) {
    for (int id : ids) {
      const absl::Status status = cluster_->server(id).ReloadSecurity();
      EXPECT_TRUE(status.ok()) << id << ": " << status;
    }
  }

  bool MoreArrive() {
    return ledger_.WaitForArrivals(ledger_.arrived() + kSomeArrivals);
  }
  // Waits for arrivals between the two servers that keep their keys.
  bool MoreHonestArrive() {
    const std::uint64_t goal = honest_ + kSomeArrivals;
    while (honest_ < goal)
      if (!ledger_.WaitForArrivals(ledger_.arrived() + 1)) return false;
    return true;
  }

  // Whether a new connection carries more than a handshake does.
  bool CarriesMore(int from, int to) {
    constexpr std::uint64_t kBytes = 1u << 20;
    constexpr auto kForward = static_cast<std::size_t>(Way::kForward);
    TcpProxy& proxy = mesh_.proxy(from, to);
    proxy.Cut(CutBy::kReset);
    const std::uint64_t before = proxy.Figures().taken[kForward];
    return proxy.WaitUntil([&](const ProxyFigures& figures) {
      return figures.taken[kForward] > before + kBytes;
    });
  }

  // Checks that all sent envelopes arrived once, in order and in the first
  // session.
  void ExpectNothingLost() {
    floods_.clear();
    EXPECT_TRUE(ledger_.WaitUntilAllArrived());
    EXPECT_THAT(ledger_.Problems(), IsEmpty());
    for (int id : cluster_->ids()) {
      for (const PeerStats& peer : cluster_->Stats(id).peers)
        EXPECT_EQ(peer.sessions, 1u) << id << " with " << peer;
    }
  }

  std::string Public(int id) const {
    return absl::StrCat(cluster_->keys().folder, "/public/", id);
  }
  std::string Own(int id) const {
    return absl::StrCat(cluster_->keys().folder, "/", id);
  }

  // Returns the folder.
  std::string MakeFreshKeys(int id) const {
    KeyRequest fresh = cluster_->keys();
    fresh.folder += "/fresh";
    fresh.server_ids = {id};
    EXPECT_TRUE(MakeKeys(fresh).ok());
    return fresh.folder;
  }
  void ListBesideOld(int id, const std::string& fresh) const {
    for (const char* name : {"zmq.public", "tls.crt"}) {
      std::ofstream(absl::StrCat(Public(id), "/", name), std::ios::app)
          << std::ifstream(absl::StrCat(fresh, "/public/", id, "/", name))
                 .rdbuf();
    }
  }
  static void CopyFiles(const std::string& from, const std::string& to) {
    fs::copy(
        from, to,
        fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  }

  bool GoesDown(int observer, int peer) {
    return log_.WaitForPeer(observer, peer, PeerEvent::kDown);
  }

  EventLog log_;
  ProxyMesh mesh_;
  DeliveryLedger ledger_;
  std::atomic<std::uint64_t> honest_{0};
  std::unique_ptr<TestCluster> cluster_;
  std::vector<std::unique_ptr<Flood>> floods_;
};

TEST_F(RotationTest, EveryServersKeysCanBeReplacedUnderLoad) {
  for (int id : cluster_->ids()) {
    KeyRequest request = cluster_->keys();
    request.server_ids = {id};
    request.replace = true;
    ASSERT_TRUE(MakeKeys(request).ok());
    Reload(cluster_->ids());
    EXPECT_TRUE(MoreArrive());
  }
  ExpectNothingLost();
}

// The new key is listed beside the old one before its server has it, and the old
// one goes after that. The others do not reload in between.
TEST_F(RotationTest, TwoListedKeysLeaveNoGap) {
  const std::string fresh = MakeFreshKeys(2);
  ListBesideOld(2, fresh);
  Reload({1, 3});
  EXPECT_TRUE(CarriesMore(1, 2) && CarriesMore(2, 1));
  CopyFiles(absl::StrCat(fresh, "/2"), Own(2));
  Reload({2});
  EXPECT_TRUE(CarriesMore(1, 2) && CarriesMore(2, 1));
  CopyFiles(absl::StrCat(fresh, "/public/2"), Public(2));
  Reload({1, 3});
  EXPECT_TRUE(CarriesMore(1, 2) && CarriesMore(2, 1));
  ExpectNothingLost();
}

// The keys of each server are secrets as Kubernetes mounts them, and nobody asks
// for a reload.
class MountedKeysTest : public RotationTest {
 protected:
  void Adapt(ClusterSpec* spec) override {
    spec->make_server = [this](int id, Config config) {
      if (public_ == nullptr) {
        public_ = std::make_unique<SecretVolume>(Volume("public"));
        public_->UpdateFrom(absl::StrCat(cluster_->keys().folder, "/public"));
      }
      own_.emplace(id, Volume(absl::StrCat(id)))
          .first->second.UpdateFrom(Own(id));
      config.security.identity = Volume("{id}");
      config.security.peers = public_->folder();
      config.security.reload = SecurityConfig::Reload::kOnChange;
      return NewServer(id, std::move(config));
    };
  }

  std::string Volume(const std::string& name) const {
    return absl::StrCat(cluster_->keys().folder, "/volumes/", name);
  }

  // Waits until each of `ids` has read its files anew so many times.
  bool ReadAnew(const std::vector<int>& ids, std::size_t times) {
    return std::all_of(ids.begin(), ids.end(), [&](int id) {
      return log_.WaitFor(
          [&](const EventLog::Entry& entry) {
            return entry.first == id &&
                   entry.second.type == PeerEvent::kWarning &&
                   absl::StrContains(entry.second.reason, "read anew");
          },
          times);
    });
  }

  std::unique_ptr<SecretVolume> public_;
  std::map<int, SecretVolume> own_;
};

TEST_F(MountedKeysTest, KeysChangeWithTheirVersionsUnderLoad) {
  const std::string fresh = MakeFreshKeys(2);
  ListBesideOld(2, fresh);
  public_->UpdateFrom(absl::StrCat(cluster_->keys().folder, "/public"));
  ASSERT_TRUE(ReadAnew({1, 2, 3}, 1)) << log_.Text();
  EXPECT_TRUE(CarriesMore(1, 2) && CarriesMore(2, 1));
  own_.at(2).UpdateFrom(absl::StrCat(fresh, "/2"));
  ASSERT_TRUE(ReadAnew({2}, 2)) << log_.Text();
  EXPECT_TRUE(CarriesMore(1, 2) && CarriesMore(2, 1));
  CopyFiles(absl::StrCat(fresh, "/public/2"), Public(2));
  public_->UpdateFrom(absl::StrCat(cluster_->keys().folder, "/public"));
  ASSERT_TRUE(ReadAnew({1, 3}, 2)) << log_.Text();
  EXPECT_TRUE(CarriesMore(1, 2) && CarriesMore(2, 1));
  ExpectNothingLost();
  EXPECT_THAT(log_.Text(), Not(HasSubstr("cannot be used")));
}

TEST_F(RotationTest, AReloadOfTheSameKeysChangesNothing) {
  for (int i = 0; i < 10; ++i) Reload(cluster_->ids());
  EXPECT_TRUE(MoreArrive());
  ExpectNothingLost();
  // On a busy machine a connection may still be refused as silent.
  for (const EventLog::Entry& entry : log_.Entries()) {
    EXPECT_NE(entry.second.type, PeerEvent::kRestarted) << entry.second;
    if (entry.second.type == PeerEvent::kRejected) {
      EXPECT_TRUE(absl::StrContains(entry.second.reason,
                                    RefusalReasonName(RefusalReason::kSilent)))
          << entry.second;
    }
  }
}

TEST_F(RotationTest, FromARevokedPeerNothingIsTakenAndToItNothingIsSent) {
  const std::string kept = absl::StrCat(cluster_->keys().folder, "/kept");
  fs::rename(Public(3), kept);
  Reload({1, 2});
  const std::uint64_t frames = cluster_->Stats(1).Peer(3)->frames_received;
  const std::uint64_t received = cluster_->Stats(1).Peer(3)->received;
  EXPECT_TRUE(MoreHonestArrive());
  EXPECT_TRUE(GoesDown(1, 3));
  EXPECT_TRUE(log_.WaitForRejection(1, "unauthenticated")) << log_.Text();
  EXPECT_TRUE(MoreHonestArrive());
  EXPECT_EQ(cluster_->Stats(1).Peer(3)->frames_received, frames);
  EXPECT_EQ(cluster_->Stats(1).Peer(3)->received, received);
  // The others no longer talk to 3. It sees them as down. Frames that were on
  // their way have come; not a byte follows, and no server dials it.
  for (int other : {1, 2}) {
    EXPECT_TRUE(GoesDown(3, other));
    const ProxyFigures silent = mesh_.proxy(other, 3).Figures();
    EXPECT_TRUE(MoreHonestArrive());
    const ProxyFigures now = mesh_.proxy(other, 3).Figures();
    EXPECT_EQ(now.taken[static_cast<std::size_t>(Way::kForward)],
              silent.taken[static_cast<std::size_t>(Way::kForward)]);
    EXPECT_EQ(now.connections, silent.connections);
  }

  // The others kept its queue and session, so it goes on where it stopped.
  fs::rename(kept, Public(3));
  Reload({1, 2});
  EXPECT_TRUE(MoreArrive());
  ExpectNothingLost();
}

TEST_F(RotationTest, AReloadThatFailsChangesNothing) {
  for (const char* name : {"zmq.public", "tls.crt"}) {
    const std::string file = absl::StrCat(Public(2), "/", name);
    fs::rename(file, absl::StrCat(file, ".kept"));
    std::ofstream(file) << "no key\n";
  }
  EXPECT_FALSE(cluster_->server(1).ReloadSecurity().ok());
  EXPECT_TRUE(MoreArrive());
  for (const char* name : {"zmq.public", "tls.crt"}) {
    const std::string file = absl::StrCat(Public(2), "/", name);
    fs::rename(absl::StrCat(file, ".kept"), file);
  }
  Reload({1});
  EXPECT_TRUE(MoreArrive());
  ExpectNothingLost();
}

}  // namespace
}  // namespace cluster::internal
