// A valid member, with good keys, claims to be another one: in its hellos, its
// frames or its envelopes. It gets nothing, and does not harm the true one.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cluster/codec/hello.h"
#include "cluster/codec/registry.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/delivery_ledger.h"
#include "tests/harness/event_log.h"
#include "tests/harness/flood.h"
#include "tests/harness/seed.h"
#include "tests/harness/test_cluster.h"
#include "tests/security/forging_transport.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr int kVictim = 1;
constexpr int kTrue = 2;
constexpr int kImpostor = 3;
constexpr std::chrono::seconds kDeadline{30};

// 1 and 2 send to each other all the while, and 3 sends to 1.
class ImpostorTest : public testing::Test {
 protected:
  void StartCluster(const std::string& codec) {
    ClusterSpec spec;
    spec.config.transport = SECURITY_BACKEND;
    spec.config.codec = codec;
    spec.ids = FirstIds(3);
    spec.secured = true;
    spec.on_event = log_.Sink();
    spec.on_envelope = [this](int receiver, const EnvelopeView& envelope) {
      // No envelope of the impostor arrives in another server's name.
      if (envelope.payload == kForged) {
        EXPECT_EQ(envelope.sender_id, kImpostor);
      } else {
        ledger_.Arrived(receiver, envelope);
      }
    };
    spec.make_server = [this](int id, const Config& config) {
      if (id != kImpostor) return NewServer(id, config);
      return NewServer(id, config,
                       forgery_.Around(*FindTransport(SECURITY_BACKEND)));
    };
    cluster_ = std::make_unique<TestCluster>(std::move(spec));
    ASSERT_TRUE(cluster_->Start());
    const std::uint64_t seed = TestSeed();
    const auto sent = [this](int receiver, const EnvelopeView& envelope) {
      ledger_.Sent(receiver, envelope);
    };
    floods_[0] = std::make_unique<Flood>(&cluster_->server(kVictim),
                                         std::vector<int>{kTrue}, seed, sent);
    floods_[1] = std::make_unique<Flood>(
        &cluster_->server(kTrue), std::vector<int>{kVictim}, seed + 1, sent);
    ASSERT_TRUE(ledger_.WaitForArrivals(100));
    SendAsImpostor();
    ASSERT_TRUE(cluster_->server(kImpostor).Flush(absl::Seconds(60)).ok());
  }

  void SendAsImpostor() {
    Envelope envelope;
    envelope.pid = kVictim;
    envelope.payload = kForged;
    // Whether there is room does not matter.
    cluster_->server(kImpostor).Send(envelope).IgnoreError();
  }

  // False: fewer than `count` rejections came.
  bool SendUntilRejected(std::uint64_t count) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (Refused(RefusalReason::kWrongIdentity) < count) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      SendAsImpostor();
    }
    return true;
  }

  std::uint64_t Refused(RefusalReason reason) {
    const ServerStats stats = cluster_->Stats(kVictim);
    return stats.Refused(reason) + stats.Peer(kImpostor)->Refused(reason);
  }

  // Checks that the two honest servers are still in their first session, and
  // that no envelope of it was lost, doubled or refused.
  void ExpectTheTrueOneUnharmed() {
    const std::uint64_t arrived = ledger_.arrived();
    EXPECT_TRUE(ledger_.WaitForArrivals(arrived + 100));
    for (auto& flood : floods_) flood.reset();
    EXPECT_TRUE(ledger_.WaitUntilAllArrived());
    EXPECT_THAT(ledger_.Problems(), IsEmpty());
    const ServerStats stats = cluster_->Stats(kVictim);
    EXPECT_EQ(stats.Peer(kTrue)->sessions, 1u);
    EXPECT_EQ(stats.Peer(kTrue)->Refused(RefusalReason::kWrongIdentity), 0u);
    EXPECT_EQ(stats.Peer(kTrue)->Refused(RefusalReason::kUnknownSession), 0u);
  }

  static constexpr char kForged[] = "the impostor's payload";

  EventLog log_;
  DeliveryLedger ledger_;
  Forgery forgery_;
  std::unique_ptr<TestCluster> cluster_;
  std::unique_ptr<Flood> floods_[2];
};

TEST_F(ImpostorTest, FramesAndHellosInAnothersNameAreRejected) {
  StartCluster("binary");
  forgery_.Begin(
      [](FrameHeader* header, std::string*) { header->sender_id = kTrue; });
  EXPECT_TRUE(SendUntilRejected(10));
  EXPECT_TRUE(log_.WaitFor([](const EventLog::Entry& entry) {
    return entry.first == kVictim &&
           entry.second.type == PeerEvent::kRejected &&
           entry.second.peer == kTrue &&
           absl::StrContains(entry.second.reason,
                             "server 3 sent a frame in the name of server 2");
  })) << log_.Text();
  ExpectTheTrueOneUnharmed();
}

TEST_F(ImpostorTest, ANewLifeThatGreetsInAnothersNameIsRejected) {
  StartCluster("binary");
  forgery_.Begin([](FrameHeader* header, std::string* body) {
    header->sender_id = kTrue;
    if (header->kind != FrameKind::kHello) return;
    Hello hello;
    ASSERT_TRUE(DecodeHello(*body, &hello));
    hello.incarnation += 1000000;
    *body = EncodeHello(hello);
  });
  const std::uint64_t before = Refused(RefusalReason::kWrongIdentity);
  ASSERT_TRUE(cluster_->Restart(kImpostor));
  for (int peer : {kVictim, kTrue})
    cluster_->server(kImpostor)
        .AddPeer(peer, cluster_->address(peer))
        .IgnoreError();
  EXPECT_TRUE(log_.WaitForRejection(kVictim, "in the name of server 2"));
  EXPECT_GT(Refused(RefusalReason::kWrongIdentity), before);
  ExpectTheTrueOneUnharmed();
}

TEST_F(ImpostorTest, EnvelopesInAnothersNameAreRejected) {
  StartCluster("json");
  forgery_.Begin([](FrameHeader* header, std::string* body) {
    if (header->kind != FrameKind::kData) return;
    absl::StrReplaceAll({{"\"SenderId\":3", "\"SenderId\":2"}}, body);
  });
  EXPECT_TRUE(SendUntilRejected(1));
  EXPECT_TRUE(log_.WaitForRejection(
      kVictim, "server 3 sent an envelope in the name of server 2"))
      << log_.Text();
  ExpectTheTrueOneUnharmed();
}

// One envelope a message, without sessions.
TEST_F(ImpostorTest, MessagesInAnothersNameAreRejected) {
  ClusterSpec spec;
  spec.config.transport = SECURITY_BACKEND;
  spec.config.delivery = Delivery::kBestEffort;
  spec.ids = FirstIds(3);
  spec.secured = true;
  spec.on_event = log_.Sink();
  spec.on_envelope = [](int, const EnvelopeView& envelope) {
    EXPECT_EQ(envelope.sender_id, kTrue);
  };
  TestCluster cluster(std::move(spec));
  ASSERT_TRUE(cluster.Start());
  // The impostor's own transport, with its own keys, at the address that the
  // victim dials.
  TransportConfig config;
  config.cluster = cluster.keys().cluster;
  config.server_id = kImpostor;
  config.security.emplace();
  config.security->identity = absl::StrCat(cluster.keys().folder, "/3");
  config.security->peers[kVictim] =
      absl::StrCat(cluster.keys().folder, "/public/1");
  cluster.Stop(kImpostor);
  RecordingHandler handler;
  auto transport = (*FindTransport(SECURITY_BACKEND))(config);
  ASSERT_TRUE(transport.ok()) << transport.status();
  ASSERT_TRUE((*transport)->Start(&handler, cluster.address(kImpostor)).ok());
  ASSERT_TRUE((*transport)->Connect(kVictim, cluster.address(kVictim), 1).ok());
  Envelope envelope;
  envelope.pid = kVictim;
  envelope.sender_id = kTrue;
  envelope.message_id = {1, 1};
  std::string message;
  (*FindCodec("binary"))->EncodeStandalone(EnvelopeView(envelope), &message);
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (cluster.Stats(kVictim).Refused(RefusalReason::kWrongIdentity) == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    const Frame frame{{MakeSlice(message)}};
    (void)(*transport)->Send(kVictim, frame);
    std::this_thread::yield();
  }
  EXPECT_TRUE(log_.WaitForRejection(
      kVictim, "server 3 sent a frame in the name of server 2"));
  EXPECT_EQ(cluster.Stats(kVictim).Peer(kTrue)->received, 0u);
}

}  // namespace
}  // namespace cluster::internal
