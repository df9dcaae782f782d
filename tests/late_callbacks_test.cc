// A transport's callbacks about a peer come late, or not at all, while the peer
// is removed and added. The server still reaches the peer.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cluster/base/mutex.h"
#include "cluster/transport/registry.h"
#include "cluster/transport/testing/forwarding_transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/tcp_proxy.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr std::chrono::seconds kDeadline{60};

// Hooks for the callbacks about connections to server 1. Its first Connect is
// generation 1 here, and each later one has a greater generation.
struct Telling {
  // Each is called instead of the server's callback; `pass` calls that one, now
  // or later.
  std::function<void(std::uint64_t generation, std::function<void()> pass)>
      on_connected;
  std::function<void(std::uint64_t generation, std::function<void()> pass)>
      on_disconnected;
};

class TellingTransport final : public ForwardingTransport {
 public:
  TellingTransport(std::unique_ptr<Transport> around,
                   std::shared_ptr<Telling> telling)
      : ForwardingTransport(std::move(around)), telling_(std::move(telling)) {}
  ~TellingTransport() override { Stop(absl::ZeroDuration()); }
  absl::Status Connect(int peer, const std::string& address,
                       std::uint64_t generation) override {
    std::uint64_t none = 0;
    first_.compare_exchange_strong(none, generation);
    return ForwardingTransport::Connect(peer, address, generation);
  }

 private:
  void OnConnected(int peer, std::uint64_t generation) override {
    telling_->on_connected(generation - first_ + 1, [=] {
      ForwardingTransport::OnConnected(peer, generation);
    });
  }
  void OnDisconnected(int peer, std::uint64_t generation,
                      absl::string_view reason) override {
    telling_->on_disconnected(
        generation - first_ + 1, [=, text = std::string(reason)] {
          ForwardingTransport::OnDisconnected(peer, generation, text);
        });
  }

  const std::shared_ptr<Telling> telling_;
  std::atomic<std::uint64_t> first_{0};
};

class LateCallbacksTest : public testing::TestWithParam<const char*> {
 protected:
  LateCallbacksTest() {
    telling_->on_connected = [this](std::uint64_t generation, auto pass) {
      {
        MutexLock lock(&mutex_);
        connected_ = generation;
      }
      pass();
      changed_.NotifyAll();
    };
    telling_->on_disconnected = [](std::uint64_t, auto pass) { pass(); };
    spec_.config.transport = GetParam();
    spec_.config.linger = absl::Milliseconds(50);
    spec_.ids = FirstIds(2);
    spec_.on_envelope = [](int, const EnvelopeView&) {};
    spec_.make_server = [this](int id, const Config& config) {
      if (id != 1) return NewServer(id, config);
      return NewServer(id, config,
                       [this](const TransportConfig& config)
                           -> absl::StatusOr<std::unique_ptr<Transport>> {
                         auto inner = (*FindTransport(GetParam()))(config);
                         if (!inner.ok()) return inner.status();
                         return std::make_unique<TellingTransport>(
                             *std::move(inner), telling_);
                       });
    };
  }

  // Waits for server 1's OnConnected of that generation.
  bool WaitForConnected(std::uint64_t generation) {
    MutexLock lock(&mutex_);
    return changed_.WaitFor(&mutex_, kDeadline,
                            [&] { return connected_ >= generation; });
  }

  static absl::Status SendOne(Server* server) {
    Envelope envelope;
    envelope.pid = 2;
    envelope.payload = "x";
    envelope.lane = Lane::kUrgent;
    return server->Send(envelope);
  }
  static void ExpectReaches(Server* server) {
    EXPECT_TRUE(SendOne(server).ok());
    const absl::Status flushed = server->Flush(absl::Seconds(60));
    EXPECT_TRUE(flushed.ok()) << flushed;
  }

  const std::shared_ptr<Telling> telling_ = std::make_shared<Telling>();
  ClusterSpec spec_;
  Mutex mutex_;
  CondVar changed_;
  std::uint64_t connected_ = 0;  // the latest generation
};

// As if the thread that reports the loss were slow.
TEST_P(LateCallbacksTest, ALossOfARemovedPeerDoesNotSilenceItsNextConnection) {
  std::vector<std::function<void()>> late;
  telling_->on_disconnected = [&](std::uint64_t generation, auto pass) {
    if (generation > 1) return pass();
    MutexLock lock(&mutex_);
    late.push_back(std::move(pass));
    changed_.NotifyAll();
  };
  TestCluster cluster(spec_);
  ASSERT_TRUE(cluster.Start());
  ExpectReaches(&cluster.server(1));
  cluster.Stop(2);
  {
    MutexLock lock(&mutex_);
    ASSERT_TRUE(
        changed_.WaitFor(&mutex_, kDeadline, [&] { return !late.empty(); }));
  }
  ASSERT_TRUE(cluster.Restart(2));
  ASSERT_TRUE(cluster.server(1).RemovePeer(2).ok());
  ASSERT_TRUE(cluster.server(1).AddPeer(2, cluster.server(2).Address()).ok());
  ASSERT_TRUE(WaitForConnected(2));
  std::vector<std::function<void()>> told;
  {
    MutexLock lock(&mutex_);
    told.swap(late);
  }
  for (const auto& tell : told) tell();
  ExpectReaches(&cluster.server(1));
  EXPECT_THAT(BalanceProblems(1, cluster.Stats(1)), IsEmpty());
}

// The transport connects without a callback, until the server dials anew.
TEST_P(LateCallbacksTest, APeerThatTheTransportLostSightOfIsDialledAnew) {
  const auto only_later = [](auto told) {
    return [told](std::uint64_t generation, std::function<void()> pass) {
      if (generation > 1) told(generation, std::move(pass));
    };
  };
  telling_->on_connected = only_later(telling_->on_connected);
  telling_->on_disconnected = only_later(telling_->on_disconnected);
  spec_.config.peer_timeout = absl::Milliseconds(500);
  spec_.config.heartbeat = absl::Milliseconds(100);
  spec_.config.handshake_timeout = absl::Milliseconds(500);
  TestCluster cluster(spec_);
  ASSERT_TRUE(cluster.Start());
  ExpectReaches(&cluster.server(1));
  EXPECT_EQ(cluster.Stats(1).Peer(2)->redials_by_watchdog, 1u);
  EXPECT_EQ(cluster.Stats(2).Peer(1)->redials_by_watchdog, 0u);
}

INSTANTIATE_TEST_SUITE_P(Backends, LateCallbacksTest,
                         testing::ValuesIn(AllTransports()), TransportName);

// Over a network that can be cut.
using PeerChangesTest = LateCallbacksTest;

TEST_P(PeerChangesTest, FlushWorksHoweverLossesAndChangesOfPeersMeet) {
  constexpr int kRounds = 30;
  constexpr int kSenders = 6;
  // Reports of losses are slow, so the report of the next connection often
  // comes first.
  telling_->on_disconnected = [this](std::uint64_t generation, auto pass) {
    {
      MutexLock lock(&mutex_);
      changed_.WaitFor(&mutex_, std::chrono::milliseconds(20),
                       [&] { return connected_ > generation; });
    }
    pass();
  };
  std::unique_ptr<TcpProxy> proxy;
  spec_.route = [&](int from, int, const std::string& address) {
    if (from != 1) return address;
    if (proxy == nullptr) proxy = std::make_unique<TcpProxy>(address);
    return proxy->address();
  };
  TestCluster cluster(spec_);
  ASSERT_TRUE(cluster.Start());
  Server& server = cluster.server(1);
  ExpectReaches(&server);
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<bool> changed{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < kSenders; ++i) {
      threads.emplace_back([&] {
        // Fails while the peer is removed, or the queue is full.
        while (!changed) SendOne(&server).IgnoreError();
      });
    }
    threads.emplace_back([&] { proxy->Cut(CutBy::kReset); });
    EXPECT_TRUE(server.RemovePeer(2).ok());
    EXPECT_TRUE(server.AddPeer(2, proxy->address()).ok());
    proxy->Cut(CutBy::kReset);
    changed = true;
    for (std::thread& thread : threads) thread.join();
    ExpectReaches(&server);
    ASSERT_THAT(BalanceProblems(1, server.Stats()), IsEmpty()) << round;
  }
  cluster.StopAll();
}

INSTANTIATE_TEST_SUITE_P(Backends, PeerChangesTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
