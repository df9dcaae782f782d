#include "cluster/transport/stream/write_batch.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cluster/base/testing/failing_allocations.h"
#include "cluster/transport/stream/preamble.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace stream {
namespace {

std::string Wire(const std::string& text) {
  char length[kLengthBytes];
  StoreLength(static_cast<std::uint32_t>(text.size()), length);
  return std::string(length, kLengthBytes) + text;
}

std::string Text(std::size_t bytes, char seed = 'a') {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    text[i] = static_cast<char>(seed + i % 61);
  }
  return text;
}

Frame OneSlice(std::string text) { return Frame{{MakeSlice(std::move(text))}}; }

std::string Left(const WriteBatch& batch) {
  std::string left;
  for (const absl::string_view segment : batch.segments()) {
    left.append(segment.data(), segment.size());
  }
  return left;
}

TEST(WriteBatch, ManySmallFramesAreOneSegment) {
  FrameQueue queue;
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    queue.PushBack(OneSlice(Text(i % 50)));
    expected += Wire(Text(i % 50));
  }
  WriteBatch batch;
  batch.Fill(&queue);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(batch.segments().size(), 1u);
  EXPECT_EQ(Left(batch), expected);
}

TEST(WriteBatch, LargeSlicesAreNotCopied) {
  FrameQueue queue;
  const Slice body = MakeSlice(Text(100000));
  queue.PushBack(Frame{{MakeSlice("header"), body}});
  WriteBatch batch;
  batch.Fill(&queue);
  ASSERT_EQ(batch.segments().size(), 2u);
  EXPECT_EQ(batch.segments()[1].data(), body.bytes.data());
  EXPECT_EQ(Left(batch), Wire("header" + Text(100000)));
}

TEST(WriteBatch, SegmentsStayWithinWhatOneWriteTakes) {
  FrameQueue queue;
  std::string expected;
  for (int i = 0; i < 30; ++i) {
    queue.PushBack(
        Frame{{MakeSlice("h"), MakeSlice(Text(20000)), MakeSlice("t")}});
    expected += Wire("h" + Text(20000) + "t");
  }
  std::string written;
  WriteBatch batch;
  while (!queue.empty()) {
    batch.Fill(&queue);
    ASSERT_LE(batch.segments().size(), WriteBatch::kSegmentsMax);
    written += Left(batch);
    batch.Clear();
  }
  EXPECT_TRUE(written == expected);
}

TEST(WriteBatch, AFrameOfTooManyLargeSlicesIsWrittenWhole) {
  Frame frame;
  std::string text;
  for (int i = 0; i < 20; ++i) {
    frame.slices.push_back(MakeSlice(Text(10000, static_cast<char>('a' + i))));
    text += Text(10000, static_cast<char>('a' + i));
  }
  FrameQueue queue;
  queue.PushBack(frame);
  WriteBatch batch;
  batch.Fill(&queue);
  EXPECT_TRUE(queue.empty());
  EXPECT_LE(batch.segments().size(), WriteBatch::kSegmentsMax);
  EXPECT_TRUE(Left(batch) == Wire(text));
}

TEST(WriteBatch, StagingIsNeverOverrun) {
  FrameQueue queue;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    queue.PushBack(OneSlice(Text(WriteBatch::kCopiedBytesMax)));
    expected += Wire(Text(WriteBatch::kCopiedBytesMax));
  }
  std::string written;
  WriteBatch batch;
  while (!queue.empty()) {
    batch.Fill(&queue);
    written += Left(batch);
    batch.Clear();
  }
  EXPECT_TRUE(written == expected);
}

TEST(WriteBatch, AnAdvanceMayEndAnywhere) {
  FrameQueue queue;
  queue.PushBack(Frame{{MakeSlice("header"), MakeSlice(Text(9000))}});
  queue.PushBack(OneSlice("last"));
  WriteBatch batch;
  batch.Fill(&queue);
  const std::string whole = Left(batch);
  for (std::size_t written = 0; written < whole.size(); ++written) {
    ASSERT_FALSE(batch.done());
    ASSERT_TRUE(Left(batch) == whole.substr(written)) << written;
    batch.Advance(1);
  }
  EXPECT_TRUE(batch.done());
}

// How many of three frames come back after `written` bytes were written.
std::size_t Untouched(std::size_t written) {
  FrameQueue queue;
  for (const char* text : {"one", "two", "three"}) {
    queue.PushBack(OneSlice(text));
  }
  WriteBatch batch;
  batch.Fill(&queue);
  queue.PushBack(OneSlice("four"));
  batch.Advance(written);
  batch.ReturnUntouched(&queue);
  batch.Clear();
  std::vector<std::string> texts;
  while (!queue.empty()) {
    texts.emplace_back(queue.PopFront().slices[0].bytes);
  }
  const std::vector<std::string> all = {"one", "two", "three", "four"};
  const std::vector<std::string> tail(all.end() - texts.size(), all.end());
  EXPECT_EQ(texts, tail) << written;
  return texts.size() - 1;
}

TEST(WriteBatch, OnlyUntouchedFramesComeBackInOrder) {
  const std::size_t first = Wire("one").size();
  EXPECT_EQ(Untouched(0), 3u);
  EXPECT_EQ(Untouched(1), 2u);
  EXPECT_EQ(Untouched(first - 1), 2u);
  EXPECT_EQ(Untouched(first), 2u);
  EXPECT_EQ(Untouched(first + 1), 1u);
  EXPECT_EQ(Untouched(2 * first), 1u);
  EXPECT_EQ(Untouched(2 * first + 1), 0u);
}

TEST(WriteBatch, SharesAreHeldUntilClear) {
  auto owner = std::make_shared<const std::string>(Text(50000));
  FrameQueue queue;
  queue.PushBack(Frame{{Slice{owner, *owner}}});
  WriteBatch batch;
  batch.Fill(&queue);
  EXPECT_EQ(owner.use_count(), 2);
  batch.Clear();
  EXPECT_EQ(owner.use_count(), 1);
}

TEST(FrameQueue, KeepsOrderAndBytesAsItGrowsAndWraps) {
  FrameQueue queue;
  int pushed = 0;
  int popped = 0;
  std::size_t bytes = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < round; ++i) {
      queue.PushBack(OneSlice(std::to_string(pushed)));
      bytes += std::to_string(pushed++).size();
    }
    for (int i = 0; i < round - 1; ++i) {
      ASSERT_EQ(queue.PopFront().slices[0].bytes, std::to_string(popped));
      bytes -= std::to_string(popped++).size();
    }
    ASSERT_EQ(queue.bytes(), bytes);
    ASSERT_EQ(queue.size(), static_cast<std::size_t>(pushed - popped));
  }
}

// Frames that it has no memory to list stay in the queue, in order.
TEST(WriteBatch, TakesFewerFramesWhereMemoryEnds) {
  constexpr std::size_t kFrames = 40;
  FrameQueue queue;
  for (std::size_t i = 0; i < kFrames; ++i)
    queue.PushBack(OneSlice(std::to_string(i)));
  WriteBatch batch;
  {
    const FailingAllocations failing(1, FailingAllocations::kRest);
    batch.Fill(&queue);
  }
  ASSERT_FALSE(queue.empty());
  ASSERT_LT(queue.size(), kFrames);
  EXPECT_EQ(queue.front().slices[0].bytes,
            std::to_string(kFrames - queue.size()));
  batch.ReturnUntouched(&queue);
  ASSERT_EQ(queue.size(), kFrames);
  EXPECT_EQ(queue.front().slices[0].bytes, "0");
}

// Whether the batch asks for memory to take so many frames. It gets none.
bool TakesMemory(std::size_t frames, WriteBatch* batch) {
  FrameQueue queue;
  for (std::size_t i = 0; i < frames; ++i)
    queue.PushBack(Frame{{MakeSlice("header"), MakeSlice(Text(1000))}});
  bool asked = false;
  {
    const FailingAllocations failing(1, FailingAllocations::kOne);
    batch->Fill(&queue);
    asked = failing.failed();
  }
  batch->Clear();
  return asked;
}

TEST(WriteBatch, LoneFramesTakeNoMemoryAndFreeIt) {
  WriteBatch batch;
  EXPECT_FALSE(TakesMemory(1, &batch));
  EXPECT_TRUE(TakesMemory(2, &batch));
  FrameQueue queue;
  queue.PushBack(OneSlice("a"));
  queue.PushBack(OneSlice("b"));
  batch.Fill(&queue);
  batch.Clear();
  EXPECT_FALSE(TakesMemory(2, &batch));
  for (int i = 0; i < WriteBatch::kLoneFramesMax; ++i)
    EXPECT_FALSE(TakesMemory(1, &batch));
  EXPECT_TRUE(TakesMemory(2, &batch));
}

TEST(FrameQueue, WhatIsPutBackComesFirst) {
  FrameQueue queue;
  queue.PushBack(OneSlice("b"));
  queue.PushFront(OneSlice("a"));
  EXPECT_EQ(queue.PopFront().slices[0].bytes, "a");
  EXPECT_EQ(queue.PopFront().slices[0].bytes, "b");
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0u);
}

}  // namespace
}  // namespace stream
}  // namespace cluster::internal
