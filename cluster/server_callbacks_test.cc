// The promises of Server about handlers.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/mutex.h"
#include "cluster/server.h"
#include "cluster/testing/test_server.h"
#include "cluster/transport/testing/forwarding_transport.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

// Reports the end of Stop.
class StopTeller final : public ForwardingTransport {
 public:
  StopTeller(std::unique_ptr<Transport> inner, std::promise<void>* stopped)
      : ForwardingTransport(std::move(inner)), stopped_(stopped) {}
  void Stop(absl::Duration linger) override {
    inner()->Stop(linger);
    if (!std::exchange(told_, true)) stopped_->set_value();
  }

 private:
  std::promise<void>* const stopped_;
  bool told_ = false;
};

TEST(ServerCallbacksTest, HandlersSeeUpBeforeTheFirstEnvelope) {
  Recorder recorder;  // outlives the servers that call it
  const Config config = MakeConfig(2);
  auto one = Started(1, config);
  auto two = Make(2, config);
  recorder.Attach(two.get());
  ASSERT_TRUE(one->Send(To(2, "hello")).ok());
  ASSERT_TRUE(two->Start().ok());
  const std::vector<std::string> texts = recorder.WaitFor("hello");
  EXPECT_EQ(texts.front(), "<up 1>");
}

TEST(ServerCallbacksTest, AHandlerMayCallAServerThatIsBeingDestroyed) {
  std::promise<void> running;
  std::unique_ptr<Server> server = Make(1, MakeConfig(1));
  server->OnEnvelope([&running, raw = server.get()](const EnvelopeView&) {
    running.set_value();
    while (raw->Send(To(9)).code() != absl::StatusCode::kCancelled)
      std::this_thread::yield();
  });
  ASSERT_TRUE(server->Start().ok());
  ASSERT_TRUE(server->Send(To(1)).ok());
  running.get_future().wait();
  server.reset();
}

// Waits until `envelopes` of the peer have come to the server's inbox.
void AwaitArrivals(const Server& server, int pid, std::uint64_t envelopes) {
  while (true) {
    for (const PeerStats& peer : server.Stats().peers) {
      if (peer.peer == pid && peer.received >= envelopes) return;
    }
    std::this_thread::yield();
  }
}

TEST(ServerCallbacksTest, ABatchEndsWhereAnEventIsStillToBeTold) {
  const Config config = MakeConfig(3);
  std::promise<void> may_return;
  std::shared_future<void> returning = may_return.get_future().share();
  auto one = Make(1, config);
  one->OnPeerEvent([&](const PeerEvent& event) {
    if (event.peer == 3 && event.type == PeerEvent::kUp) returning.wait();
  });
  ASSERT_TRUE(one->Start().ok());
  auto two = Started(2, config);
  ASSERT_TRUE(two->Send(To(1, "first")).ok());
  EXPECT_EQ(one->Receive(kLong)->payload, "first");
  ASSERT_TRUE(two->Send(To(1, "from 2")).ok());
  AwaitArrivals(*one, 2, 2);
  auto three = Started(3, config);
  ASSERT_TRUE(three->Send(To(1, "from 3")).ok());
  AwaitArrivals(*one, 3, 1);

  std::vector<Envelope> batch;
  ASSERT_TRUE(one->ReceiveBatch(&batch, 100, kLong).ok());
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0].payload, "from 2");
  EXPECT_EQ(one->Receive(absl::ZeroDuration()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  may_return.set_value();
  ASSERT_TRUE(one->ReceiveBatch(&batch, 100, kLong).ok());
  EXPECT_EQ(batch[0].payload, "from 3");
}

TEST(ServerCallbacksTest, AnEventHandlerAloneIsNotBehindUnreadEnvelopes) {
  const Config config = MakeConfig(3);
  std::promise<void> three_is_up;
  auto one = Make(1, config);
  one->OnPeerEvent([&](const PeerEvent& event) {
    if (event.peer == 3 && event.type == PeerEvent::kUp)
      three_is_up.set_value();
  });
  ASSERT_TRUE(one->Start().ok());
  auto two = Started(2, config);
  ASSERT_TRUE(two->Send(To(1, "unread")).ok());
  AwaitArrivals(*one, 2, 1);
  auto three = Started(3, config);
  EXPECT_EQ(three_is_up.get_future().wait_for(absl::ToChronoSeconds(kLong)),
            std::future_status::ready);
  EXPECT_EQ(one->Receive(kLong)->payload, "unread");
}

TEST(ServerCallbacksTest, HandlersMayNotWait) {
  const Config config = MakeConfig(2);
  auto one = Started(1, config);
  auto two = Make(2, config);
  Mutex mutex;
  CondVar changed;
  bool done = false;
  two->OnEnvelope([&](const EnvelopeView&) {
    EXPECT_EQ(two->Receive(kLong).status().code(),
              absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(two->Flush(kLong).code(), absl::StatusCode::kFailedPrecondition);
    two->Stop();
    // Fills the queue; Send in a handler does not wait.
    absl::Status status;
    while ((status = two->Send(To(1, std::string(60000, 'x')), kLong)).ok()) {
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    MutexLock lock(&mutex);
    done = true;
    changed.NotifyAll();
  });
  ASSERT_TRUE(two->Start().ok());
  ASSERT_TRUE(one->Send(To(2, "go")).ok());
  MutexLock lock(&mutex);
  EXPECT_TRUE(
      changed.WaitFor(&mutex, std::chrono::seconds(30), [&] { return done; }));
  lock.Unlock();
  EXPECT_EQ(two->Receive(kLong).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

// The handler of an own envelope does not run on a thread of the transport. So
// after the transport has stopped, Stop waits for the handler alone.
TEST(ServerCallbacksTest, StopWaitsForAHandlerThatRuns) {
  std::promise<void> running, transport_stopped;
  std::atomic<bool> left{false};
  auto server = NewServer(1, MakeConfig(1),
                          [&](const TransportConfig& config)
                              -> absl::StatusOr<std::unique_ptr<Transport>> {
                            auto inner = NewMemoryTransport(config);
                            if (!inner.ok()) return inner;
                            return std::make_unique<StopTeller>(
                                *std::move(inner), &transport_stopped);
                          });
  ASSERT_TRUE(server.ok()) << server.status();
  (*server)->OnEnvelope([&](const EnvelopeView&) {
    running.set_value();
    EXPECT_EQ(
        transport_stopped.get_future().wait_for(absl::ToChronoSeconds(kLong)),
        std::future_status::ready);
    // Gives a Stop that does not wait the time to return.
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    left = true;
  });
  ASSERT_TRUE((*server)->Start().ok());
  ASSERT_TRUE((*server)->Send(To(1)).ok());
  running.get_future().wait();
  (*server)->Stop();
  EXPECT_TRUE(left);
}

TEST(ServerCallbacksTest, PingPongThroughHandlers) {
  Recorder recorder;  // outlives the servers that call it
  const Config config = MakeConfig(2);
  auto one = Make(1, config), two = Make(2, config);
  two->OnEnvelope([&](const EnvelopeView& view) {
    ASSERT_TRUE(two->Send(To(view.sender_id, std::string(view.payload))).ok());
  });
  one->OnEnvelope([&](const EnvelopeView& view) {
    const int count = std::stoi(std::string(view.payload));
    if (count == 2000) {
      recorder.Add("done");
    } else {
      ASSERT_TRUE(one->Send(To(2, absl::StrCat(count + 1))).ok());
    }
  });
  ASSERT_TRUE(one->Start().ok());
  ASSERT_TRUE(two->Start().ok());
  ASSERT_TRUE(one->Send(To(2, "0")).ok());
  recorder.WaitFor("done");
}

}  // namespace
}  // namespace cluster::internal
