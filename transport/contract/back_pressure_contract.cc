// Contract: kBackPressured, and the OnWritable after it.

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/contract/contract_suite.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

constexpr std::size_t kFrameBytes = 64u << 10;

TEST_P(TransportContract, APeerThatIsNotThereTakesBoundedBytes) {
  auto sender = StartNode(1);
  const std::string nobody = DeadAddress();
  ASSERT_TRUE(sender != nullptr && nobody != "");
  ASSERT_TRUE(sender->Connect(2, nobody).ok());
  const std::size_t frames_max = GetParam().queue_bytes_bound / kFrameBytes;
  const std::size_t sent = sender->Fill(2, kFrameBytes, frames_max);
  EXPECT_GE(sent, 1u);
  EXPECT_LT(sent, frames_max);
}

TEST_P(TransportContract, OneOnWritableFollowsOneBackPressure) {
  auto sender = StartNode(1);
  auto receiver = NewNode(2);
  const std::string address = DeadAddress();
  ASSERT_TRUE(sender != nullptr && receiver != nullptr && address != "");
  ASSERT_TRUE(sender->Connect(2, address).ok());
  const std::size_t frames_max = GetParam().queue_bytes_bound / kFrameBytes;
  const std::size_t sent = sender->Fill(2, kFrameBytes, frames_max);
  ASSERT_LT(sent, frames_max);
  EXPECT_EQ(sender->handler.writable(2), 0);

  // Exactly the accepted frames arrive, without the refused one.
  ASSERT_TRUE(receiver->transport->Start(&receiver->handler, address).ok());
  ASSERT_TRUE(sender->handler.WaitForWritable(2, 1));
  ASSERT_TRUE(receiver->handler.WaitForFrames(sent));
  ASSERT_EQ(sender->Send(2, "last"), SendResult::kSent);
  ASSERT_TRUE(receiver->handler.WaitFor(
      [](const Recorded& r) { return r.HasFrame("last"); }));
  EXPECT_EQ(receiver->handler.Get().frame_count, sent + 1);
  EXPECT_EQ(sender->handler.writable(2), 1);
}

TEST_P(TransportContract, OnWritableComesOncePerBackPressureInAFlood) {
  constexpr int kFrames = 2000;
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  const Slice body = MakeSlice(std::string(kFrameBytes, 'b'));
  int refused = 0;
  for (int i = 0; i < kFrames; ++i) {
    const Frame frame{{MakeSlice(absl::StrCat(i, ":")), body}};
    while (sender->transport->Send(2, frame) == SendResult::kBackPressured) {
      ++refused;
      ASSERT_TRUE(sender->handler.WaitForWritable(2, refused)) << i;
    }
    if (i % 100 == 0) receiver->handler.ClearFrames();
  }
  ASSERT_TRUE(receiver->handler.WaitForFrames(kFrames));
  EXPECT_EQ(receiver->handler.Get().frame_count,
            static_cast<std::size_t>(kFrames));
  EXPECT_EQ(sender->handler.writable(2), refused);
}

TEST_P(TransportContract, NoOnWritableAfterDisconnect) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  const std::string nobody = DeadAddress();
  ASSERT_TRUE(receiver != nullptr && sender != nullptr && nobody != "");
  ASSERT_TRUE(sender->Connect(2, nobody).ok());
  const std::size_t frames_max = GetParam().queue_bytes_bound / kFrameBytes;
  ASSERT_LT(sender->Fill(2, kFrameBytes, frames_max), frames_max);
  sender->transport->Disconnect(2);

  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  ASSERT_EQ(sender->Send(2, "fresh"), SendResult::kSent);
  ASSERT_TRUE(receiver->handler.WaitForFrames(1));
  EXPECT_EQ(receiver->handler.Texts()[0], "fresh");
  sender->transport->Stop(absl::ZeroDuration());
  EXPECT_EQ(sender->handler.writable(2), 0);
}

TEST_P(TransportContract, AnOwedOnWritableSurvivesANewAddress) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  const std::string nobody = DeadAddress();
  ASSERT_TRUE(receiver != nullptr && sender != nullptr && nobody != "");
  ASSERT_TRUE(sender->Connect(2, nobody).ok());
  const std::size_t frames_max = GetParam().queue_bytes_bound / kFrameBytes;
  ASSERT_LT(sender->Fill(2, kFrameBytes, frames_max), frames_max);

  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  ASSERT_TRUE(sender->handler.WaitForWritable(2, 1));
  ASSERT_EQ(sender->Send(2, "last"), SendResult::kSent);
  ASSERT_TRUE(receiver->handler.WaitFor(
      [](const Recorded& r) { return r.HasFrame("last"); }));
  EXPECT_EQ(sender->handler.writable(2), 1);
}

TEST_P(TransportContract, ADeadPeerDoesNotHoldUpAnother) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  const std::string nobody = DeadAddress();
  ASSERT_TRUE(receiver != nullptr && sender != nullptr && nobody != "");
  ASSERT_TRUE(sender->Connect(3, nobody).ok());
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  const std::size_t frames_max = GetParam().queue_bytes_bound / kFrameBytes;
  ASSERT_LT(sender->Fill(3, kFrameBytes, frames_max), frames_max);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(sender->SendWaiting(2, std::string(1000, 'x'))) << i;
  }
  EXPECT_TRUE(receiver->handler.WaitForFrames(1000));
  EXPECT_EQ(sender->handler.writable(3), 0);
}

// A callback inside Send would wait for the mutex for ever.
TEST_P(TransportContract, SendCallsNothingBackInline) {
  auto receiver = StartNode(2);
  auto sender = NewNode(1);
  const std::string nobody = DeadAddress();
  ASSERT_TRUE(receiver != nullptr && sender != nullptr && nobody != "");
  internal::Mutex mutex(internal::LockRank::kApplication);
  const auto lock = [&](int) { internal::MutexLock held(&mutex); };
  sender->handler.on_writable = lock;
  const auto lock_generation = [&](int peer, std::uint64_t) { lock(peer); };
  sender->handler.on_connected = lock_generation;
  sender->handler.on_disconnected = lock_generation;
  ASSERT_TRUE(
      sender->transport->Start(&sender->handler, GetParam().fresh_address())
          .ok());
  {
    internal::MutexLock held(&mutex);
    ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
    ASSERT_TRUE(sender->Connect(3, nobody).ok());
  }
  for (int i = 0; i < 500; ++i) {
    const int before = sender->handler.writable(2);
    SendResult result;
    {
      internal::MutexLock held(&mutex);
      result = sender->Send(2, std::string(kFrameBytes, 'x'));
      (void)sender->Send(3, std::string(kFrameBytes, 'x'));
    }
    if (result == SendResult::kBackPressured) {
      ASSERT_TRUE(sender->handler.WaitForWritable(2, before + 1));
    }
  }
  internal::MutexLock held(&mutex);
  sender->transport->Disconnect(3);
  sender->transport->Disconnect(2);
}

}  // namespace
}  // namespace cluster
