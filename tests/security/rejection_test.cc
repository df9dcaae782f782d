// Each kind of stranger that a server refuses. The server delivers nothing of
// theirs, counts each by its reason and reports it. No text about it holds a
// secret.

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/zmq/testing/raw_tcp.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"
#include "tests/harness/event_log.h"
#include "tests/harness/fresh_address.h"
#include "tests/harness/tcp_proxy.h"
#include "tests/harness/test_cluster.h"

namespace cluster::internal {
namespace {

constexpr int kVictim = 1;
constexpr int kFriend = 2;
constexpr int kStranger = 3;
constexpr std::chrono::seconds kPatience{60};
constexpr std::size_t kRecordBytes = 1u << 20;

// The lines of a private key file that hold the key.
std::vector<std::string> SecretLines(const std::string& file) {
  std::ifstream stream(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    if (!absl::StartsWith(line, "-----")) lines.push_back(line);
  }
  EXPECT_FALSE(lines.empty()) << file;
  return lines;
}

void ExpectNoSecretIn(const std::string& text, const KeyRequest& keys) {
  for (int id : keys.server_ids) {
    for (const char* name : {"zmq.secret", "tls.key"}) {
      const std::string file = absl::StrCat(keys.folder, "/", id, "/", name);
      for (const std::string& line : SecretLines(file))
        EXPECT_FALSE(absl::StrContains(text, line)) << file;
    }
  }
}

// Servers 1 and 2 trust each other; server 3 is a stranger with an id of the
// cluster.
class RejectionTest : public testing::Test {
 protected:
  void StartCluster(bool secured) {
    ClusterSpec spec;
    spec.config.transport = SECURITY_BACKEND;
    spec.config.handshake_timeout = absl::Milliseconds(500);
    spec.ids = {kVictim, kFriend, kStranger};
    spec.secured = secured;
    spec.on_event = log_.Sink();
    spec.on_envelope = [this](int, const EnvelopeView& envelope) {
      EXPECT_EQ(expected_senders_.count(envelope.sender_id), 1u);
      ++delivered_;
    };
    cluster_ = std::make_unique<TestCluster>(std::move(spec));
    ASSERT_TRUE(cluster_->Start());
    cluster_->Destroy(kStranger);
    foreign_ = cluster_->keys();
    foreign_.cluster = cluster_->ConfigOf(1).cluster;
    foreign_.server_ids = {kVictim, kFriend, kStranger};
    foreign_.folder = absl::StrCat(ScratchFolder(), "/foreign-",
                                   cluster_->ConfigOf(1).cluster);
    ASSERT_TRUE(MakeKeys(foreign_).ok());
  }

  std::string TruePublic(int id) const {
    return absl::StrCat(cluster_->keys().folder, "/public/", id);
  }
  std::string ForeignPublic(int id) const {
    return absl::StrCat(foreign_.folder, "/public/", id);
  }

  // Starts a server with the stranger's id, at the address that the victim
  // dials. It dials the victim and sends to it.
  void StartStranger(const SecurityConfig& security,
                     const std::string& cluster_name = "",
                     const std::string& address = "") {
    Config config = cluster_->ConfigOf(1);
    if (!cluster_name.empty()) config.cluster = cluster_name;
    config.security = security;
    config.servers = {
        {kStranger, cluster_->address(kStranger)},
        {kVictim, address.empty() ? cluster_->address(kVictim) : address}};
    auto server = NewServer(kStranger, config);
    ASSERT_TRUE(server.ok()) << server.status();
    stranger_ = *std::move(server);
    stranger_->OnPeerEvent([this](const PeerEvent& event) {
      stranger_log_.Sink()(kStranger, event);
    });
    ASSERT_TRUE(stranger_->Start().ok());
    Envelope envelope;
    envelope.pid = kVictim;
    envelope.payload = "from a stranger";
    ASSERT_TRUE(stranger_->Send(envelope).ok());
  }

  std::uint64_t Refused(RefusalReason reason) {
    return cluster_->Stats(kVictim).Refused(reason);
  }

  // Waits for one envelope of the friend.
  void HearFriend() {
    Envelope envelope;
    envelope.pid = kVictim;
    ASSERT_TRUE(cluster_->server(kFriend).Send(envelope).ok());
    ASSERT_TRUE(cluster_->server(kFriend).Flush(absl::Seconds(60)).ok());
    ++of_friend_;
  }

  // Hears the friend again and again until `condition` holds, which no event
  // reports.
  bool HearFriendUntil(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      HearFriend();
      if (HasFatalFailure()) return false;
    }
    return true;
  }

  // Checks that the victim counts and reports the stranger, has taken nothing
  // of it, and still hears its friend. No text about it may hold a secret.
  void ExpectRejected(RefusalReason reason) {
    EXPECT_TRUE(log_.WaitForRejection(kVictim, RefusalReasonName(reason)))
        << log_.Text();
    EXPECT_GT(Refused(reason), 0u);
    EXPECT_EQ(cluster_->Stats(kVictim).Peer(kStranger)->received, 0u);
    ASSERT_NO_FATAL_FAILURE(HearFriend());
    if (stranger_ != nullptr) stranger_->Stop();
    cluster_->StopAll();
    EXPECT_EQ(delivered_, of_friend_);
    if (!cluster_->keys().folder.empty())
      ExpectNoSecretIn(AllTexts(), cluster_->keys());
    ExpectNoSecretIn(AllTexts(), foreign_);
  }

  std::string AllTexts() {
    std::ostringstream texts;
    texts << log_.Text() << stranger_log_.Text();
    for (int id : {kVictim, kFriend}) {
      for (const PeerStats& peer : cluster_->Stats(id).peers)
        texts << peer << "\n";
    }
    if (stranger_ != nullptr) {
      for (const PeerStats& peer : stranger_->Stats().peers)
        texts << peer << "\n";
    }
    return texts.str();
  }

  static SecurityConfig Keys(const std::string& identity,
                             const std::string& victims_public) {
    SecurityConfig security;
    security.mode = SecurityConfig::Mode::kMutual;
    security.identity = identity;
    security.peer_folders[kVictim] = victims_public;
    return security;
  }

  EventLog log_;
  EventLog stranger_log_;
  std::atomic<int> delivered_{0};
  int of_friend_ = 0;
  std::set<int> expected_senders_ = {kFriend};
  KeyRequest foreign_;
  std::unique_ptr<TestCluster> cluster_;
  std::unique_ptr<Server> stranger_;
};

TEST_F(RejectionTest, AnUnknownKey) {
  StartCluster(true);
  StartStranger(Keys(absl::StrCat(foreign_.folder, "/3"), TruePublic(kVictim)));
  ExpectRejected(RefusalReason::kUnauthenticated);
}

TEST_F(RejectionTest, PlaintextToASecuredListener) {
  StartCluster(true);
  StartStranger(SecurityConfig());
  ExpectRejected(RefusalReason::kUnauthenticated);
}

TEST_F(RejectionTest, SecuredToAPlaintextListener) {
  StartCluster(false);
  StartStranger(
      Keys(absl::StrCat(foreign_.folder, "/3"), ForeignPublic(kVictim)));
  ExpectRejected(RefusalReason::kUnauthenticated);
}

// The dialler finds another server than it wanted, and sends nothing to it.
TEST_F(RejectionTest, AServerThatIsNotTheOneThatWasDialled) {
  StartCluster(true);
  StartStranger(Keys(absl::StrCat(cluster_->keys().folder, "/3"),
                     ForeignPublic(kVictim)));
  ASSERT_TRUE(HearFriendUntil([this] {
    return !stranger_->Stats().Peer(kVictim)->last_trouble.empty();
  }));
  EXPECT_FALSE(stranger_->Stats().Peer(kVictim)->up);
  ExpectRejected(RefusalReason::kUnauthenticated);
}

// Good keys, for another cluster. Certificates name their cluster, so they are
// invalid in this one.
TEST_F(RejectionTest, AnotherClustersName) {
  StartCluster(true);
  KeyRequest keys = cluster_->keys();
  if (absl::string_view(SECURITY_BACKEND) != "zmq") {
    Config config = cluster_->ConfigOf(kFriend);
    config.cluster = "another";
    const absl::Status status = NewServer(kFriend, config).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    keys = foreign_;
    keys.cluster = "another";
    keys.folder += "-another";
    ASSERT_TRUE(MakeKeys(keys).ok());
  }
  StartStranger(Keys(absl::StrCat(keys.folder, "/3"), TruePublic(kVictim)),
                "another");
  ASSERT_TRUE(HearFriendUntil([this] {
    const ServerStats stats = cluster_->Stats(kVictim);
    return stats.Peer(kStranger)->Refused(RefusalReason::kWrongCluster) +
               stats.Refused(RefusalReason::kUnauthenticated) >
           0;
  }));
  stranger_->Stop();
  cluster_->StopAll();
  EXPECT_EQ(cluster_->Stats(kVictim).Peer(kStranger)->received, 0u);
  EXPECT_EQ(delivered_, of_friend_);
}

// A stranger repeats all bytes that a member sent on a connection.
TEST_F(RejectionTest, AReplayedHandshake) {
  expected_senders_ = {kFriend, kStranger};
  StartCluster(true);
  TcpProxy proxy(cluster_->address(kVictim));
  proxy.Record(kRecordBytes);
  StartStranger(
      Keys(absl::StrCat(cluster_->keys().folder, "/3"), TruePublic(kVictim)),
      "", proxy.address());
  ASSERT_TRUE(stranger_->Flush(absl::Seconds(60)).ok());
  stranger_->Stop();
  const auto received = [this] {
    return cluster_->Stats(kVictim).Peer(kStranger)->received;
  };
  const std::uint64_t before = received();
  const auto rejected = [this] {
    return Refused(RefusalReason::kUnauthenticated) +
           Refused(RefusalReason::kMalformed) + Refused(RefusalReason::kSilent);
  };
  for (const Recording& said : proxy.Recordings()) {
    const std::uint64_t rejected_before = rejected();
    ASSERT_GT(said.size(), 100u);
    proxy.Replay(said);
    EXPECT_TRUE(HearFriendUntil([&] { return rejected() > rejected_before; }));
  }
  EXPECT_EQ(received(), before);
  cluster_->StopAll();  // then `delivered_` is final
  EXPECT_EQ(delivered_, 1 + of_friend_);
}

TEST_F(RejectionTest, Silence) {
  StartCluster(true);
  RawTcp silent = RawTcp::Connect(cluster_->address(kVictim));
  EXPECT_TRUE(silent.WaitForEnd());
  ExpectRejected(RefusalReason::kSilent);
}

// Errors say what is wrong with a key file, and do not quote it.
TEST_F(RejectionTest, ErrorsAboutKeyFilesHoldNoKey) {
  StartCluster(true);
  const std::string folder = cluster_->keys().folder;
  std::string texts;
  for (const char* name : {"zmq.secret", "tls.key", "zmq.public", "tls.crt"}) {
    const std::string file = absl::StrCat(folder, "/1/", name);
    std::ifstream stream(file);
    std::stringstream good;
    good << stream.rdbuf();
    for (const std::string& bad :
         {good.str() + good.str(), good.str().substr(1), "x" + good.str()}) {
      std::ofstream(file) << bad;
      const absl::Status status = cluster_->server(kVictim).ReloadSecurity();
      absl::StrAppend(&texts, status.ToString(), "\n");
    }
    std::ofstream(file) << good.str();
  }
  EXPECT_TRUE(absl::StrContains(texts, folder)) << texts;
  ExpectNoSecretIn(texts, cluster_->keys());
  EXPECT_EQ(cluster_->server(kVictim).ReloadSecurity(), absl::OkStatus());
}

}  // namespace
}  // namespace cluster::internal
