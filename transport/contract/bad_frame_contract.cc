// Contract: frames over the limit and frames that the handler refuses.

#include <memory>
#include <string>

#include "cluster/transport/contract/contract_suite.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

TEST_P(TransportContract, AFrameOverTheReceiversLimitNeverArrives) {
  constexpr std::size_t kReceiverBytesMax = 10000;
  auto receiver = StartNode(2, kReceiverBytesMax);
  auto sender = StartNode(1);
  auto other = StartNode(3);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr && other != nullptr);
  const std::string address = receiver->transport->Address();
  ASSERT_TRUE(sender->Connect(2, address).ok());
  ASSERT_TRUE(other->Connect(2, address).ok());
  ASSERT_TRUE(sender->SendWaiting(2, std::string(kReceiverBytesMax, 'l')));
  ASSERT_TRUE(receiver->handler.WaitForFrames(1));

  for (std::size_t bytes : {kReceiverBytesMax + 1, kContractFrameBytesMax}) {
    ASSERT_TRUE(sender->SendWaiting(2, std::string(bytes, 'o')));
    ASSERT_TRUE(SendUntilOneArrives(*sender, 2, *receiver,
                                    "after " + std::to_string(bytes)));
  }
  // Another peer's connection still works.
  ASSERT_TRUE(other->SendWaiting(2, "other"));
  ASSERT_TRUE(receiver->handler.WaitFor(
      [](const Recorded& r) { return r.HasFrame("other"); }));
  for (const std::string& text : receiver->handler.Texts()) {
    EXPECT_LE(text.size(), kReceiverBytesMax);
  }
}

TEST_P(TransportContract, AMalformedFrameHarmsNoLaterOne) {
  auto receiver = NewNode(2);
  auto sender = StartNode(1);
  auto other = StartNode(3);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr && other != nullptr);
  receiver->handler.on_frame = [](const ReceivedFrame& frame) {
    return frame.slice.bytes == "bad" ? FrameVerdict::kMalformed
                                      : FrameVerdict::kAccepted;
  };
  ASSERT_TRUE(
      receiver->transport->Start(&receiver->handler, GetParam().fresh_address())
          .ok());
  const std::string address = receiver->transport->Address();
  ASSERT_TRUE(sender->Connect(2, address).ok());
  ASSERT_TRUE(other->Connect(2, address).ok());
  for (int i = 0; i < 3; ++i) {
    const std::string count = std::to_string(i);
    ASSERT_TRUE(SendUntilOneArrives(*sender, 2, *receiver, "good" + count));
    ASSERT_TRUE(sender->SendWaiting(2, "bad"));
    ASSERT_TRUE(SendUntilOneArrives(*sender, 2, *receiver, "after" + count));
    ASSERT_TRUE(SendUntilOneArrives(*other, 2, *receiver, "other" + count));
  }
}

TEST_P(TransportContract, SendingAFrameOverTheOwnLimitAborts) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        auto sender = StartNode(1, 1000);
        (void)sender->Connect(2, sender->transport->Address());
        (void)sender->Send(2, std::string(1001, 'x'));
      },
      "");
}

}  // namespace
}  // namespace cluster
