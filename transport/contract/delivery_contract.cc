// Contract: frames arrive whole, in order, and followed by OnDrained.

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/contract_suite.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

TEST_P(TransportContract, FramesArriveInOrder) {
  constexpr int kFrames = 20000;
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  for (int i = 0; i < kFrames; ++i) {
    ASSERT_TRUE(sender->SendWaiting(2, absl::StrCat(i))) << i;
  }
  ASSERT_TRUE(receiver->handler.WaitForFrames(kFrames));
  const std::vector<std::string> texts = receiver->handler.Texts();
  ASSERT_EQ(texts.size(), static_cast<std::size_t>(kFrames));
  for (int i = 0; i < kFrames; ++i) ASSERT_EQ(texts[i], absl::StrCat(i));
}

TEST_P(TransportContract, FramesOfEachSizeArriveWhole) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  std::vector<std::string> sent;
  for (std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{33},
        std::size_t{255}, std::size_t{256}, std::size_t{4096},
        std::size_t{65535}, std::size_t{65536}, std::size_t{0},
        kContractFrameBytesMax - 1, kContractFrameBytesMax, std::size_t{1}}) {
    std::string text(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) {
      text[i] = static_cast<char>(i * 131 + i / 251);
    }
    ASSERT_TRUE(sender->SendWaiting(2, text));
    sent.push_back(std::move(text));
  }
  ASSERT_TRUE(receiver->handler.WaitForFrames(sent.size()));
  EXPECT_TRUE(receiver->handler.Texts() == sent);  // Too long to print.
}

TEST_P(TransportContract, SlicesArriveAsTheirConcatenation) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());

  Frame few{{MakeSlice("head"), MakeSlice("body")}};
  Frame empty{{Slice{}, MakeSlice(""), Slice{}}};
  Frame none;
  Frame many;
  std::string whole;
  for (int i = 0; i < 300; ++i) {
    const std::string part(i * 7 % 400, static_cast<char>('a' + i % 26));
    whole += part;
    many.slices.push_back(MakeSlice(part));
  }
  const std::string large(50000, 'l'), other(50000, 'o');
  const Frame headed{{MakeSlice("head"), Slice{}, MakeSlice(large)}};
  const Frame tailed{{MakeSlice(large), MakeSlice("tail")}};
  const Frame both{{MakeSlice(large), MakeSlice(other)}};
  for (const Frame& frame :
       {few, empty, many, none, headed, tailed, both, few}) {
    ASSERT_TRUE(sender->SendWaiting(2, frame));
  }
  ASSERT_TRUE(receiver->handler.WaitForFrames(8));
  EXPECT_TRUE(
      receiver->handler.Texts() ==  // Too long to print.
      (std::vector<std::string>{"headbody", "", whole, "", "head" + large,
                                large + "tail", large + other, "headbody"}));
}

TEST_P(TransportContract, OneFrameGoesToManyPeers) {
  const std::vector<int> peers = {2, 3, 4};
  auto sender = StartNode(1);
  ASSERT_NE(sender, nullptr);
  std::vector<std::unique_ptr<Node>> receivers;
  for (const int peer : peers) {
    receivers.push_back(StartNode(peer));
    ASSERT_NE(receivers.back(), nullptr);
    ASSERT_TRUE(
        sender->Connect(peer, receivers.back()->transport->Address()).ok());
  }
  const Frame frame{{MakeSlice("for "), MakeSlice("all")}};
  for (const int peer : peers) {
    ASSERT_TRUE(sender->SendWaiting(peer, frame));
  }
  for (auto& receiver : receivers) {
    ASSERT_TRUE(receiver->handler.WaitForFrames(1));
    EXPECT_EQ(receiver->handler.Texts()[0], "for all");
  }
}

TEST_P(TransportContract, FramesGoBothWays) {
  auto first = StartNode(1);
  auto second = StartNode(2);
  ASSERT_TRUE(first != nullptr && second != nullptr);
  ASSERT_TRUE(first->Connect(2, second->transport->Address()).ok());
  ASSERT_TRUE(second->Connect(1, first->transport->Address()).ok());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(first->SendWaiting(2, absl::StrCat("ping", i)));
    ASSERT_TRUE(second->handler.WaitForFrames(i + 1));
    ASSERT_TRUE(second->SendWaiting(1, absl::StrCat("pong", i)));
    ASSERT_TRUE(first->handler.WaitForFrames(i + 1));
  }
  EXPECT_EQ(first->handler.Texts()[99], "pong99");
}

TEST_P(TransportContract, OnDrainedFollowsEachFrame) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  for (std::size_t i = 1; i <= 50; ++i) {
    ASSERT_TRUE(sender->SendWaiting(2, "frame"));
    ASSERT_TRUE(receiver->handler.WaitFor([&](const Recorded& r) {
      return r.drained_frames >= i;
    })) << i;
  }
}

// The first byte of a frame names its sender.
TEST_P(TransportContract, FramesOfOneConnectionComeOneAtATime) {
  constexpr int kSenders = 2;
  constexpr int kFrames = 5000;
  auto receiver = NewNode(9);
  ASSERT_NE(receiver, nullptr);
  std::atomic<int> inside[kSenders] = {};
  std::atomic<int> overlaps{0};
  receiver->handler.on_frame = [&](const ReceivedFrame& frame) {
    std::atomic<int>& mine = inside[frame.slice.bytes[0] - '0'];
    if (mine.fetch_add(1) != 0) ++overlaps;
    mine.fetch_sub(1);
    return FrameVerdict::kAccepted;
  };
  ASSERT_TRUE(
      receiver->transport->Start(&receiver->handler, GetParam().fresh_address())
          .ok());
  std::vector<std::unique_ptr<Node>> senders;
  for (int i = 0; i < kSenders; ++i) {
    senders.push_back(StartNode(i));
    ASSERT_NE(senders.back(), nullptr);
    ASSERT_TRUE(
        senders.back()->Connect(9, receiver->transport->Address()).ok());
  }
  for (int i = 0; i < kFrames; ++i) {
    for (int s = 0; s < kSenders; ++s) {
      ASSERT_TRUE(senders[s]->SendWaiting(9, absl::StrCat(s, "-", i)));
    }
  }
  ASSERT_TRUE(receiver->handler.WaitForFrames(kSenders * kFrames));
  EXPECT_EQ(overlaps.load(), 0);
  std::map<char, int> next;
  for (const std::string& text : receiver->handler.Texts()) {
    ASSERT_EQ(text, absl::StrCat(text.substr(0, 1), "-", next[text[0]]++));
  }
}

}  // namespace
}  // namespace cluster
