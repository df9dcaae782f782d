// Contract: Stop returns within a bound, and no callback follows it.

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/contract_suite.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

TEST_P(TransportContract, StopIsIdempotentAndWorksBeforeStart) {
  auto fresh = NewNode(1);
  auto started = StartNode(2);
  ASSERT_TRUE(fresh != nullptr && started != nullptr);
  fresh->transport->Stop(absl::ZeroDuration());
  started->transport->Stop(absl::Seconds(30));
  started->transport->Stop(absl::ZeroDuration());
}

TEST_P(TransportContract, AStoppedTransportLosesWhatIsSent) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  ASSERT_TRUE(sender->SendWaiting(2, "hello"));
  ASSERT_TRUE(receiver->handler.WaitForFrames(1));
  sender->transport->Stop(absl::ZeroDuration());
  sender->handler.Seal();
  EXPECT_EQ(sender->Send(2, "lost"), SendResult::kSent);
  sender->transport->Disconnect(2);
  EXPECT_EQ(sender->Send(2, "lost"), SendResult::kSent);
  EXPECT_EQ(sender->handler.Get().late, 0);
}

TEST_P(TransportContract, StopLingersUntilFramesAreOut) {
  constexpr int kFrames = 200;
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  ASSERT_TRUE(sender->handler.WaitForConnected(2));
  for (int i = 0; i < kFrames; ++i) {
    ASSERT_TRUE(sender->SendWaiting(2, std::string(20000, 'l')));
  }
  sender->transport->Stop(absl::Seconds(30));
  EXPECT_TRUE(receiver->handler.WaitForFrames(kFrames));
}

// The test's own time limit is the bound.
TEST_P(TransportContract, StopGivesUpOnFramesThatNobodyTakes) {
  auto sender = StartNode(1);
  const std::string nobody = DeadAddress();
  ASSERT_TRUE(sender != nullptr && nobody != "");
  ASSERT_TRUE(sender->Connect(2, nobody).ok());
  ASSERT_GE(sender->Fill(2, 10000, 100), 1u);
  sender->transport->Stop(absl::Milliseconds(50));
  sender->handler.Seal();
  sender.reset();
}

TEST_P(TransportContract, TheDestructorStops) {
  RecordingHandler handler;
  {
    auto receiver = StartNode(2);
    auto sender = NewNode(1);
    ASSERT_TRUE(receiver != nullptr && sender != nullptr);
    ASSERT_TRUE(
        sender->transport->Start(&handler, GetParam().fresh_address()).ok());
    ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
    ASSERT_TRUE(handler.WaitForConnected(2));
    sender.reset();
    handler.Seal();
  }
  EXPECT_EQ(handler.Get().late, 0);
}

TEST_P(TransportContract, StopWaitsForARunningCallback) {
  auto receiver = NewNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  Gate gate;
  receiver->handler.on_drained = [&] { gate.Wait(); };
  ASSERT_TRUE(
      receiver->transport->Start(&receiver->handler, GetParam().fresh_address())
          .ok());
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  ASSERT_TRUE(sender->SendWaiting(2, "hello"));
  EXPECT_TRUE(receiver->handler.WaitFor(
      [](const Recorded& r) { return r.drained_count > 0; }));
  Gate stopping;
  std::thread stopper([&] {
    stopping.Open();
    receiver->transport->Stop(absl::ZeroDuration());
    receiver->handler.Seal();
  });
  stopping.Wait();
  gate.Open();
  stopper.join();
  EXPECT_EQ(receiver->handler.Get().late, 0);
}

// Threads go on sending, connecting and disconnecting during Stop.
TEST_P(TransportContract, StopUnderLoadIsFollowedByNoCallback) {
  constexpr int kThreads = 4;
  for (int round = 0; round < 5; ++round) {
    auto first = StartNode(1);
    auto second = StartNode(2);
    const std::string nobody = DeadAddress();
    ASSERT_TRUE(first != nullptr && second != nullptr && nobody != "");
    ASSERT_TRUE(first->Connect(2, second->transport->Address()).ok());
    ASSERT_TRUE(second->Connect(1, first->transport->Address()).ok());
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        const Frame frame{{MakeSlice(std::string(t * 1000, 'x'))}};
        for (int i = 0; !done; ++i) {
          Node& node = t % 2 == 0 ? *first : *second;
          if (node.transport->Send(t % 2 == 0 ? 2 : 1, frame) ==
              SendResult::kBackPressured) {
            std::this_thread::yield();
          }
          if (t == 3 && i % 64 == 0) {
            (void)node.Connect(3, nobody);
            (void)node.Send(3, "to nobody");
            node.transport->Disconnect(3);
          }
        }
      });
    }
    EXPECT_TRUE(first->handler.WaitForFrames(100));
    EXPECT_TRUE(second->handler.WaitForFrames(100));
    first->transport->Stop(absl::Milliseconds(10));
    first->handler.Seal();
    second->transport->Stop(absl::ZeroDuration());
    second->handler.Seal();
    done = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(first->handler.Get().late, 0);
    EXPECT_EQ(second->handler.Get().late, 0);
  }
}

TEST_P(TransportContract, ThreadsMayStopAtTheSameTime) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  ASSERT_GE(sender->Fill(2, 1000, 100), 1u);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back(
        [&] { sender->transport->Stop(absl::Milliseconds(20)); });
  }
  for (std::thread& thread : threads) thread.join();
  sender->handler.Seal();
  EXPECT_EQ(sender->handler.Get().late, 0);
}

}  // namespace
}  // namespace cluster
