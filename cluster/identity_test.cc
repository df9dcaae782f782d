// The core accepts frames only in the name of the server that their connection
// proved to be, with both deliveries. A decorator adds identities to the memory
// transport.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/mutex.h"
#include "cluster/server.h"
#include "cluster/transport/memory/memory_transport.h"
#include "cluster/transport/testing/forwarding_transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(30);

// Gives every frame the identity `identity`.
class StampingTransport final : public ForwardingTransport {
 public:
  StampingTransport(std::unique_ptr<Transport> around,
                    const std::atomic<int>* identity)
      : ForwardingTransport(std::move(around)), identity_(identity) {}
  ~StampingTransport() override { Stop(absl::ZeroDuration()); }

  absl::Status ReloadSecurity(const SecurityFiles&) override {
    return absl::OkStatus();
  }

 private:
  FrameVerdict OnFrame(ReceivedFrame frame) override {
    if (*identity_ >= 0) frame.identity = *identity_;
    return handler()->OnFrame(std::move(frame));
  }

  const std::atomic<int>* const identity_;
};

class IdentityTest : public testing::TestWithParam<Delivery> {
 protected:
  void SetUp() override {
    static int clusters = 0;
    config_.cluster = absl::StrCat("identity-test-", ++clusters);
    config_.transport = "a transport with security";
    config_.delivery = GetParam();
    config_.servers = {{1, "i1"}, {2, "i2"}, {3, "i3"}};
    config_.security.mode = SecurityConfig::Mode::kMutual;
    config_.security.identity = "keys/{id}";
    config_.security.peer_folders = {{1, "a"}, {2, "b"}, {3, "c"}};
    for (int id : {1, 2}) {
      auto server =
          NewServer(id, config_,
                    [this](const TransportConfig& config)
                        -> absl::StatusOr<std::unique_ptr<Transport>> {
                      TransportConfig plain = config;
                      plain.security.reset();
                      auto inner = NewMemoryTransport(plain);
                      if (!inner.ok()) return inner.status();
                      // Server 1 sees what the test says, server 2 sees 1.
                      return std::make_unique<StampingTransport>(
                          *std::move(inner),
                          config.server_id == 1 ? &seen_by_one_ : &one_);
                    });
      ASSERT_TRUE(server.ok()) << server.status();
      servers_.push_back(*std::move(server));
    }
    servers_[0]->OnPeerEvent([this](const PeerEvent& event) {
      if (event.type != PeerEvent::kRejected) return;
      MutexLock lock(&mutex_);
      rejected_ = event;
      changed_.NotifyAll();
    });
  }

  // Connections prove `identity` to server 1; -1: they prove nothing.
  void Start(int identity) {
    seen_by_one_ = identity;
    for (auto& server : servers_) ASSERT_TRUE(server->Start().ok());
  }

  void SendFromTwo() {
    Envelope envelope;
    envelope.pid = 1;
    ASSERT_TRUE(servers_[1]->Send(envelope).ok());
  }
  PeerEvent WaitForRejection() {
    MutexLock lock(&mutex_);
    EXPECT_TRUE(changed_.WaitFor(&mutex_, std::chrono::seconds(30), [this] {
      return rejected_.type == PeerEvent::kRejected;
    }));
    return rejected_;
  }

  Config config_;
  std::atomic<int> seen_by_one_{2};
  const std::atomic<int> one_{1};
  Mutex mutex_;
  CondVar changed_;
  PeerEvent rejected_;
  std::vector<std::unique_ptr<Server>> servers_;  // destroyed first
};

TEST_P(IdentityTest, TheTrueSenderIsHeard) {
  Start(2);
  SendFromTwo();
  const auto envelope = servers_[0]->Receive(kLong);
  ASSERT_TRUE(envelope.ok()) << envelope.status();
  EXPECT_EQ(envelope->sender_id, 2);
}

TEST_P(IdentityTest, AnotherMemberIsNot) {
  Start(3);
  SendFromTwo();
  const PeerEvent event = WaitForRejection();
  EXPECT_EQ(event.peer, 2);
  EXPECT_THAT(event.reason,
              HasSubstr("server 3 sent a frame in the name of server 2"));
  const ServerStats stats = servers_[0]->Stats();
  EXPECT_GT(stats.Refused(RefusalReason::kWrongIdentity), 0u);
  EXPECT_EQ(stats.Peer(2)->frames_received, 0u);
  EXPECT_EQ(stats.Peer(3)->frames_received, 0u);
}

TEST_P(IdentityTest, NobodyIsNot) {
  Start(-1);
  SendFromTwo();
  EXPECT_THAT(WaitForRejection().reason,
              HasSubstr("on a connection that proved nothing"));
  const ServerStats stats = servers_[0]->Stats();
  EXPECT_GT(stats.Refused(RefusalReason::kUnauthenticated), 0u);
  EXPECT_EQ(stats.Peer(2)->frames_received, 0u);
}

INSTANTIATE_TEST_SUITE_P(Deliveries, IdentityTest,
                         testing::Values(Delivery::kReliable,
                                         Delivery::kBestEffort),
                         [](const testing::TestParamInfo<Delivery>& info) {
                           return info.param == Delivery::kReliable
                                      ? "reliable"
                                      : "best_effort";
                         });

TEST(SecurityOfServersTest, ATransportThatHasNoneIsRefused) {
  Config config;
  config.transport = "a transport of one's own";
  config.servers = {{1, "i1"}};
  config.security.mode = SecurityConfig::Mode::kMutual;
  config.security.identity = "keys/{id}";
  config.security.peer_folders = {{2, "b"}};
  EXPECT_THAT(
      std::string(NewServer(1, config, NewMemoryTransport).status().message()),
      HasSubstr("the transport \"memory\" has no security"));
  // A transport that ignores the security of its config.
  const auto forgetful = [](const TransportConfig& asked) {
    TransportConfig plain = asked;
    plain.security.reset();
    return NewMemoryTransport(plain);
  };
  EXPECT_THAT(std::string(NewServer(1, config, forgetful).status().message()),
              HasSubstr("config: $.security: there is no security to reload"));
}

TEST(SecurityOfServersTest, ReloadNeedsSecurity) {
  Config config;
  config.transport = "memory";
  config.servers = {{1, "i1"}};
  auto server = NewServer(1, config, NewMemoryTransport);
  ASSERT_TRUE(server.ok());
  EXPECT_TRUE(absl::IsFailedPrecondition((*server)->ReloadSecurity()));
}

}  // namespace
}  // namespace cluster::internal
