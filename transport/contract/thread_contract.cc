// Contract: many threads that send, callbacks that send, callbacks that block.

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cluster/transport/contract/contract_suite.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

// The bytes after a frame's name, which show whether the frame is whole.
std::string Filling(int thread, int i) {
  return std::string((thread * 37 + i * 101) % 3000,
                     static_cast<char>('a' + (thread + i) % 26));
}

TEST_P(TransportContract, ThreadsSendToOnePeerAtTheSameTime) {
  constexpr int kThreads = 4;
  constexpr int kFrames = 2000;
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kFrames; ++i) {
        const Frame frame{{MakeSlice(absl::StrCat(t, ":", i, ":")),
                           MakeSlice(Filling(t, i))}};
        ASSERT_TRUE(sender->SendWaiting(2, frame));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(receiver->handler.WaitForFrames(kThreads * kFrames));

  std::map<int, int> next;
  for (const std::string& text : receiver->handler.Texts()) {
    const std::vector<std::string> parts =
        absl::StrSplit(text, absl::MaxSplits(':', 2));
    ASSERT_EQ(parts.size(), 3u) << text;
    int thread = -1;
    ASSERT_TRUE(absl::SimpleAtoi(parts[0], &thread)) << text;
    const int i = next[thread]++;
    ASSERT_EQ(parts[1], absl::StrCat(i)) << "of thread " << thread;
    ASSERT_EQ(parts[2], Filling(thread, i));
  }
}

TEST_P(TransportContract, CallbacksMaySend) {
  constexpr int kRounds = 200;
  auto first = NewNode(1);
  auto second = NewNode(2);
  ASSERT_TRUE(first != nullptr && second != nullptr);
  first->handler.on_frame = [&](const ReceivedFrame& frame) {
    EXPECT_EQ(first->Send(2, std::string(frame.slice.bytes)),
              SendResult::kSent);
    return FrameVerdict::kAccepted;
  };
  std::atomic<int> back{0};
  second->handler.on_frame = [&](const ReceivedFrame&) {
    ++back;
    return FrameVerdict::kAccepted;
  };
  second->handler.on_drained = [&] {
    while (back > 0) {
      --back;
      EXPECT_EQ(second->Send(1, "again"), SendResult::kSent);
    }
  };
  const std::string any = GetParam().fresh_address();
  ASSERT_TRUE(first->transport->Start(&first->handler, any).ok());
  ASSERT_TRUE(
      second->transport->Start(&second->handler, GetParam().fresh_address())
          .ok());
  ASSERT_TRUE(first->Connect(2, second->transport->Address()).ok());
  ASSERT_TRUE(second->Connect(1, first->transport->Address()).ok());
  ASSERT_EQ(second->Send(1, "begin"), SendResult::kSent);
  EXPECT_TRUE(second->handler.WaitForFrames(kRounds));
  first->transport->Stop(absl::ZeroDuration());
  second->transport->Stop(absl::ZeroDuration());
}

TEST_P(TransportContract, CallbacksMayConnectAndDisconnect) {
  auto receiver = StartNode(2);
  auto sender = NewNode(1);
  const std::string nobody = DeadAddress();
  ASSERT_TRUE(receiver != nullptr && sender != nullptr && nobody != "");
  sender->handler.on_disconnected = [&](int peer, std::uint64_t) {
    if (peer != 3) return;
    sender->transport->Disconnect(3);
    EXPECT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  };
  sender->handler.on_connected = [&](int peer, std::uint64_t) {
    EXPECT_EQ(sender->Send(peer, "at once"), SendResult::kSent);
  };
  ASSERT_TRUE(
      sender->transport->Start(&sender->handler, GetParam().fresh_address())
          .ok());
  ASSERT_TRUE(sender->Connect(3, nobody).ok());
  EXPECT_TRUE(receiver->handler.WaitForFrames(1));
  sender->transport->Stop(absl::ZeroDuration());
}

// Blocks in its first OnDrained until the gate opens; the others return.
class FirstOnDrained {
 public:
  explicit FirstOnDrained(RecordingHandler* handler) {
    handler->on_drained = [this] {
      if (!begun_.exchange(true)) gate_.Wait();
    };
  }
  void Return() { gate_.Open(); }

 private:
  std::atomic<bool> begun_{false};
  Gate gate_;
};

TEST_P(TransportContract, DeliveryGoesOnWhileOnDrainedBlocks) {
  constexpr int kFrames = 1000;
  auto receiver = NewNode(9);
  auto first = StartNode(1);
  auto second = StartNode(2);
  ASSERT_TRUE(receiver != nullptr && first != nullptr && second != nullptr);
  FirstOnDrained blocked(&receiver->handler);
  ASSERT_TRUE(
      receiver->transport->Start(&receiver->handler, GetParam().fresh_address())
          .ok());
  const std::string address = receiver->transport->Address();
  ASSERT_TRUE(first->Connect(9, address).ok());
  ASSERT_TRUE(first->SendWaiting(9, "first"));
  EXPECT_TRUE(receiver->handler.WaitFor(
      [](const Recorded& r) { return r.drained_count == 1; }));

  // From here on one OnDrained does not return.
  EXPECT_TRUE(second->Connect(9, address).ok());
  std::vector<std::string> sent = {"first"};
  bool taken = true;
  for (int i = 0; taken && i < kFrames; ++i) {
    sent.push_back(absl::StrCat("one", i));
    taken = first->SendWaiting(9, sent.back());
  }
  EXPECT_TRUE(taken);
  EXPECT_TRUE(second->SendWaiting(9, "two"));
  EXPECT_TRUE(receiver->handler.WaitForFrames(1 + kFrames + 1));
  EXPECT_TRUE(receiver->handler.WaitFor(
      [](const Recorded& r) { return r.drained_frames == 1 + kFrames + 1; }));
  blocked.Return();

  // All goes on when it has returned.
  EXPECT_TRUE(receiver->handler.WaitFor(
      [](const Recorded& r) { return r.running == 0; }));
  sent.push_back("last");
  EXPECT_TRUE(first->SendWaiting(9, "last"));
  EXPECT_TRUE(receiver->handler.WaitForFrames(1 + kFrames + 2));
  std::vector<std::string> of_first;
  for (const std::string& text : receiver->handler.Texts()) {
    if (text != "two") of_first.push_back(text);
  }
  EXPECT_EQ(of_first, sent);
  receiver->transport->Stop(absl::ZeroDuration());
}

TEST_P(TransportContract, SendingGoesOnWhileOnDrainedBlocks) {
  constexpr int kFrames = 500;
  auto node = NewNode(9);
  auto other = StartNode(1);
  ASSERT_TRUE(node != nullptr && other != nullptr);
  FirstOnDrained blocked(&node->handler);
  ASSERT_TRUE(
      node->transport->Start(&node->handler, GetParam().fresh_address()).ok());
  ASSERT_TRUE(other->Connect(9, node->transport->Address()).ok());
  ASSERT_TRUE(other->SendWaiting(9, "hello"));
  EXPECT_TRUE(node->handler.WaitFor(
      [](const Recorded& r) { return r.drained_count == 1; }));

  // Also to a new peer, with its OnConnected and any OnWritable.
  EXPECT_TRUE(node->Connect(1, other->transport->Address()).ok());
  EXPECT_TRUE(node->handler.WaitForConnected(1));
  bool taken = true;
  for (int i = 0; taken && i < kFrames; ++i) {
    taken = node->SendWaiting(1, std::string(64 << 10, 'x'));
  }
  EXPECT_TRUE(taken);
  EXPECT_TRUE(other->handler.WaitForFrames(kFrames));
  blocked.Return();
  node->transport->Stop(absl::ZeroDuration());
}

}  // namespace
}  // namespace cluster
