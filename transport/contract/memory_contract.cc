// Contract: Send when an allocation fails.

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/testing/failing_allocations.h"
#include "cluster/transport/contract/contract_suite.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

// More frames than a queue of a few places holds.
constexpr int kFrames = 40;

// A frame of one of the forms that sessions make. It is in one piece, or a
// header and a body, each small or large, or has more pieces.
Frame FormOf(int form, const std::string& text) {
  const auto filled = [&text](std::size_t bytes) {
    std::string all = text;
    all.resize(bytes, 'x');
    return MakeSlice(std::move(all));
  };
  switch (form % 5) {
    case 0:
      return Frame{{filled(100)}};
    case 1:
      return Frame{{filled(100), MakeSlice(std::string(50, 'y'))}};
    case 2:
      return Frame{{filled(60 << 10)}};
    case 3:
      return Frame{{filled(100), MakeSlice(std::string(60 << 10, 'y'))}};
    default: {
      Frame frame{{filled(20 << 10)}};
      for (int i = 0; i < 5; ++i)
        frame.slices.push_back(MakeSlice(std::string(20 << 10, 'z')));
      return frame;
    }
  }
}

// Fails the nth allocation. True if there was one.
bool SendWithout(int nth, internal::FailingAllocations::Which which,
                 Node* sender, Node* receiver) {
  std::vector<Frame> frames;
  for (int i = 0; i < kFrames; ++i)
    frames.push_back(FormOf(i + 4, absl::StrCat(nth, ".", which, ".", i, ".")));
  std::array<bool, kFrames> sent{};
  int refused = 0;
  bool failed = false;
  const int writable = sender->handler.writable(2);
  {
    const internal::FailingAllocations failing(nth, which);
    for (std::size_t i = 0; i < kFrames; ++i) {
      try {
        sent[i] = sender->transport->Send(2, frames[i]) == SendResult::kSent;
        if (!sent[i]) ++refused;
      } catch (const std::bad_alloc&) {
      }
    }
    failed = failing.failed();
  }
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < kFrames; ++i) {
    if (!sent[i]) continue;
    expected.emplace_back();
    for (const Slice& slice : frames[i].slices)
      absl::StrAppend(&expected.back(), slice.bytes);
  }
  // The last frame. When it arrives, all frames before it have arrived.
  const std::string last = absl::StrCat("last ", nth, " ", which);
  expected.push_back(last);
  EXPECT_TRUE(sender->handler.WaitForWritable(2, writable + refused));
  EXPECT_TRUE(sender->SendWaiting(2, last));
  EXPECT_TRUE(receiver->handler.WaitFor(
      [&](const Recorded& r) { return r.HasFrame(last); }));
  EXPECT_TRUE(receiver->handler.Texts() == expected);  // too long to print
  receiver->handler.ClearFrames();
  return failed;
}

TEST_P(TransportContract, AFrameThatLacksMemoryIsNotTaken) {
  for (internal::FailingAllocations::Which which :
       {internal::FailingAllocations::kOne,
        internal::FailingAllocations::kRest}) {
    bool failed = true;
    int nth = 1;
    for (; failed; ++nth) {
      SCOPED_TRACE(absl::StrCat("allocation ", nth));
      auto receiver = StartNode(2);
      auto sender = StartNode(1);
      ASSERT_TRUE(receiver != nullptr && sender != nullptr);
      ASSERT_TRUE(
          sender->transport->Connect(2, receiver->transport->Address(), 1)
              .ok());
      ASSERT_TRUE(sender->handler.WaitForConnected(2));
      // Makes the connection, which is idle then.
      ASSERT_EQ(sender->Send(2, "first"), SendResult::kSent);
      ASSERT_TRUE(receiver->handler.WaitForFrames(1));
      receiver->handler.ClearFrames();
      failed = SendWithout(nth, which, sender.get(), receiver.get());
      if (HasFailure()) return;
    }
    EXPECT_GT(nth, 2) << "no allocation was tried";
  }
}

// Frames wait for a peer that does not listen yet.
TEST_P(TransportContract, AWaitingFrameThatLacksMemoryIsNotTaken) {
  for (int nth = 1; nth <= 8; ++nth) {
    SCOPED_TRACE(absl::StrCat("allocation ", nth));
    auto sender = StartNode(1);
    const std::string address = DeadAddress();
    ASSERT_TRUE(sender != nullptr && address != "");
    ASSERT_TRUE(sender->transport->Connect(2, address, 1).ok());
    std::vector<std::string> expected;
    for (int i = 0; i < 4; ++i) {
      const Frame frame = FormOf(i % 2, absl::StrCat(i, "."));
      bool sent = false;
      {
        const internal::FailingAllocations failing(
            i == 1 ? nth : 0, internal::FailingAllocations::kOne);
        try {
          sent = sender->transport->Send(2, frame) == SendResult::kSent;
        } catch (const std::bad_alloc&) {
        }
      }
      if (!sent) continue;
      expected.emplace_back();
      for (const Slice& slice : frame.slices)
        absl::StrAppend(&expected.back(), slice.bytes);
    }
    auto receiver = NewNode(2);
    ASSERT_TRUE(receiver->transport->Start(&receiver->handler, address).ok());
    ASSERT_TRUE(receiver->handler.WaitForFrames(expected.size()));
    EXPECT_EQ(receiver->handler.Texts(), expected);
  }
}

}  // namespace
}  // namespace cluster
