// Contract: the transport and the handler share the bytes of a frame for as
// long as either needs them.

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cluster/base/mutex.h"
#include "cluster/transport/contract/contract_suite.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

// Counts the owners of a test's slices, and waits until all are destroyed.
class Owners {
 public:
  Slice Make(std::string text) {
    auto owner = std::shared_ptr<const std::string>(
        new std::string(std::move(text)), [this](const std::string* gone) {
          delete gone;
          internal::MutexLock lock(&mutex_);
          --alive_;
          changed_.NotifyAll();
        });
    internal::MutexLock lock(&mutex_);
    ++alive_;
    return Slice{owner, *owner};
  }
  bool WaitUntilGone() {
    internal::MutexLock lock(&mutex_);
    return changed_.WaitFor(&mutex_, std::chrono::seconds(30),
                            [this] { return alive_ == 0; });
  }
  int alive() {
    internal::MutexLock lock(&mutex_);
    return alive_;
  }

 private:
  internal::Mutex mutex_;
  internal::CondVar changed_;
  int alive_ = 0;
};

TEST_P(TransportContract, AReceivedFrameOutlivesCallbackAndTransport) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  std::vector<std::string> sent;
  for (std::size_t bytes : {10u, 100u, 5000u, 300000u}) {
    sent.emplace_back(bytes, static_cast<char>('a' + bytes % 26));
    ASSERT_TRUE(sender->SendWaiting(2, sent.back()));
  }
  sent.push_back("head" + sent.back());
  ASSERT_TRUE(sender->SendWaiting(
      2, Frame{{MakeSlice("head"), MakeSlice(sent.back().substr(4))}}));
  ASSERT_TRUE(receiver->handler.WaitForFrames(sent.size()));
  std::vector<ReceivedFrame> kept = receiver->handler.Get().frames;
  receiver.reset();
  sender.reset();
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_TRUE(kept[i].ToString() == sent[i]) << i;
  }
  // A thread that no transport knows destroys the last shares.
  std::thread([frames = std::move(kept)]() mutable { frames.clear(); }).join();
}

TEST_P(TransportContract, ASentFrameIsLetGo) {
  Owners owners;
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  for (std::size_t bytes : {1u, 20u, 1000u, 100000u}) {
    const std::string text(bytes, 's');
    ASSERT_TRUE(sender->SendWaiting(2, Frame{{owners.Make(text)}}));
    ASSERT_TRUE(sender->SendWaiting(
        2, Frame{{owners.Make("head"), owners.Make(text)}}));
  }
  ASSERT_TRUE(receiver->handler.WaitForFrames(8));
  receiver->handler.ClearFrames();
  EXPECT_TRUE(owners.WaitUntilGone()) << owners.alive() << " are held";
}

TEST_P(TransportContract, AnUnsentFrameIsLetGoByDisconnect) {
  Owners owners;
  auto sender = StartNode(1);
  const std::string nobody = DeadAddress();
  ASSERT_TRUE(sender != nullptr && nobody != "");
  ASSERT_TRUE(sender->Connect(2, nobody).ok());
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(sender->transport->Send(2, Frame{{owners.Make("unsent")}}),
              SendResult::kSent);
  }
  sender->transport->Disconnect(2);
  EXPECT_TRUE(owners.WaitUntilGone()) << owners.alive() << " are held";
}

TEST_P(TransportContract, AnUnsentFrameIsLetGoByStop) {
  Owners owners;
  auto sender = StartNode(1);
  const std::string nobody = DeadAddress();
  ASSERT_TRUE(sender != nullptr && nobody != "");
  ASSERT_TRUE(sender->Connect(2, nobody).ok());
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(sender->transport->Send(
                  2, Frame{{owners.Make("head"),
                            owners.Make(std::string(50000, 'b'))}}),
              SendResult::kSent);
  }
  sender->transport->Stop(absl::ZeroDuration());
  EXPECT_TRUE(owners.WaitUntilGone()) << owners.alive() << " are held";
}

TEST_P(TransportContract, ALostFrameIsLetGo) {
  Owners owners;
  auto sender = StartNode(1);
  ASSERT_NE(sender, nullptr);
  EXPECT_EQ(sender->transport->Send(77, Frame{{owners.Make("lost")}}),
            SendResult::kSent);
  EXPECT_TRUE(owners.WaitUntilGone());
}

}  // namespace
}  // namespace cluster
