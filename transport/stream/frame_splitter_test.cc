#include "cluster/transport/stream/frame_splitter.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cluster/transport/stream/preamble.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace stream {
namespace {

constexpr std::size_t kFrameBytesMax = 16u << 20;
constexpr std::size_t kReadBufferBytes = 256u << 10;

std::string Wire(const std::vector<std::string>& frames) {
  std::string wire(Preamble().data(), kPreambleBytes);
  for (const std::string& frame : frames) {
    char length[kLengthBytes];
    StoreLength(static_cast<std::uint32_t>(frame.size()), length);
    wire.append(length, kLengthBytes).append(frame);
  }
  return wire;
}

std::string Text(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    text[i] = static_cast<char>(i * 131 + i / 251 + bytes);
  }
  return text;
}

class FrameSplitterTest : public testing::Test {
 protected:
  void Restart() {
    splitter_ = std::make_unique<FrameSplitter>(pool_, kFrameBytesMax,
                                                kReadBufferBytes);
    frames_.clear();
  }

  // Feeds `wire`, at most `read_bytes` a read, and keeps the frames.
  void Feed(const std::string& wire, std::size_t read_bytes = SIZE_MAX) {
    std::size_t fed = 0;
    while (fed < wire.size() && !bad_) {
      const absl::Span<char> room = splitter_->Room();
      ASSERT_GT(room.size(), 0u);
      const std::size_t part =
          std::min({room.size(), read_bytes, wire.size() - fed});
      std::memcpy(room.data(), wire.data() + fed, part);
      splitter_->Commit(part);
      fed += part;
      Take();
    }
  }

  void Take() {
    Slice frame;
    FrameSplitter::Step step = splitter_->Next(&frame);
    while (step == FrameSplitter::Step::kFrame) {
      frames_.push_back(std::move(frame));
      step = splitter_->Next(&frame);
    }
    bad_ = step == FrameSplitter::Step::kBad;
  }

  std::vector<std::string> Texts() const {
    std::vector<std::string> texts;
    for (const Slice& frame : frames_) texts.emplace_back(frame.bytes);
    return texts;
  }

  std::shared_ptr<BufferPool> pool_ = std::make_shared<BufferPool>();
  std::unique_ptr<FrameSplitter> splitter_ =
      std::make_unique<FrameSplitter>(pool_, kFrameBytesMax, kReadBufferBytes);
  std::vector<Slice> frames_;
  bool bad_ = false;
};

TEST_F(FrameSplitterTest, ManyFramesComeOutOfOneRead) {
  const std::vector<std::string> texts = {"first", "", "third", Text(1000)};
  Feed(Wire(texts));
  EXPECT_EQ(Texts(), texts);
}

TEST_F(FrameSplitterTest, EverySplitIntoTwoReadsGivesTheSame) {
  const std::vector<std::string> texts = {"a", "", Text(300), "bc"};
  const std::string wire = Wire(texts);
  for (std::size_t at = 1; at < wire.size(); ++at) {
    Restart();
    Feed(wire.substr(0, at));
    Feed(wire.substr(at));
    ASSERT_EQ(Texts(), texts) << at;
  }
}

TEST_F(FrameSplitterTest, AnyReadSizeGivesTheSame) {
  std::vector<std::string> texts;
  for (std::size_t bytes : {1u, 70000u, 3u, 8188u, 8192u, 262144u, 0u, 65536u,
                            1000000u, 5u, 600000u, 131072u}) {
    texts.push_back(Text(bytes));
  }
  const std::string wire = Wire(texts);
  for (std::size_t read_bytes : {1u, 7u, 4096u, 8192u, 65540u, 262144u}) {
    Restart();
    Feed(wire, read_bytes);
    ASSERT_TRUE(Texts() == texts) << read_bytes;
  }
}

TEST_F(FrameSplitterTest, FramesStayWhenTheSplitterGoesOn) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 2000; ++i) texts.push_back(Text(i));
  Feed(Wire(texts), 5000);
  EXPECT_TRUE(Texts() == texts);
}

TEST_F(FrameSplitterTest, AWrongPreambleIsBadAtItsFirstWrongByte) {
  for (std::size_t at = 0; at < kPreambleBytes; ++at) {
    FrameSplitter splitter(pool_, kFrameBytesMax, kReadBufferBytes);
    std::string wire(Preamble().data(), at);
    wire += static_cast<char>(Preamble()[at] + 1);
    std::memcpy(splitter.Room().data(), wire.data(), wire.size());
    splitter.Commit(wire.size());
    Slice frame;
    EXPECT_EQ(splitter.Next(&frame), FrameSplitter::Step::kBad) << at;
    EXPECT_FALSE(splitter.has_preamble());
  }
}

TEST_F(FrameSplitterTest, TheLongestFrameIsTakenAndALongerOneIsBad) {
  FrameSplitter splitter(pool_, 100, kReadBufferBytes);
  std::string wire = Wire({Text(100), Text(101)});
  std::memcpy(splitter.Room().data(), wire.data(), wire.size());
  splitter.Commit(wire.size());
  Slice frame;
  EXPECT_EQ(splitter.Next(&frame), FrameSplitter::Step::kFrame);
  EXPECT_EQ(splitter.Next(&frame), FrameSplitter::Step::kBad);
  EXPECT_EQ(splitter.Next(&frame), FrameSplitter::Step::kBad);
}

TEST_F(FrameSplitterTest, AClaimAloneCostsNoMemory) {
  std::string wire = Wire({});
  char length[kLengthBytes];
  StoreLength(kFrameBytesMax, length);
  Feed(wire.append(length, kLengthBytes));
  EXPECT_GT(splitter_->Room().size(), 0u);
  EXPECT_LE(splitter_->buffer_bytes(), 2 * kReadBufferBytes);
}

TEST_F(FrameSplitterTest, MemoryGrowsWithWhatArrives) {
  const std::string wire = Wire({Text(kFrameBytesMax)});
  std::size_t fed = 0;
  while (fed < wire.size()) {
    const absl::Span<char> room = splitter_->Room();
    ASSERT_LE(splitter_->buffer_bytes(),
              std::max(2 * kReadBufferBytes, 2 * fed));
    const std::size_t part =
        std::min({room.size(), wire.size() - fed, std::size_t{10000}});
    std::memcpy(room.data(), wire.data() + fed, part);
    splitter_->Commit(part);
    fed += part;
    Take();
  }
  ASSERT_EQ(frames_.size(), 1u);
  EXPECT_TRUE(frames_[0].bytes == Text(kFrameBytesMax));
}

TEST_F(FrameSplitterTest, AQuietStreamHoldsLittle) {
  std::vector<std::string> texts(1000, Text(100));
  Feed(Wire(texts), 104);
  EXPECT_EQ(splitter_->buffer_bytes(), FrameSplitter::kBufferBytesMin);
}

TEST_F(FrameSplitterTest, ABusyStreamReadsIntoLargeBuffersAndCalmsDown) {
  std::string wire = Wire(std::vector<std::string>(20000, Text(100)));
  Feed(wire);
  EXPECT_EQ(splitter_->buffer_bytes(), kReadBufferBytes);
  wire.erase(0, kPreambleBytes);
  Feed(wire, 104);
  EXPECT_EQ(splitter_->buffer_bytes(), FrameSplitter::kBufferBytesMin);
}

TEST_F(FrameSplitterTest, EqualLargeFramesAreNotMoved) {
  const std::size_t whole = 65536 + kLengthBytes;
  Feed(Wire(std::vector<std::string>(20, Text(65536))));
  std::string wire = Wire(std::vector<std::string>(40, Text(65536)));
  wire.erase(0, kPreambleBytes);
  std::size_t reads = 0;
  for (std::size_t fed = 0; fed < wire.size(); ++reads) {
    const absl::Span<char> room = splitter_->Room();
    if (reads > 0) {
      ASSERT_EQ(room.size() % whole, 0u) << reads;
    }
    const std::size_t part = std::min(room.size(), wire.size() - fed);
    std::memcpy(room.data(), wire.data() + fed, part);
    splitter_->Commit(part);
    fed += part;
    Take();
  }
  EXPECT_EQ(frames_.size(), 60u);
  EXPECT_LE(reads, 12u);
}

// Each begins with its length in the smallest buffer, and goes on in one that
// is just as long.
TEST_F(FrameSplitterTest, OfLongFramesLittleIsMoved) {
  const std::size_t bytes = 4 * kReadBufferBytes;
  Feed(Wire({Text(bytes)}));
  std::string wire = Wire(std::vector<std::string>(3, Text(bytes)));
  wire.erase(0, kPreambleBytes);
  for (std::size_t fed = 0; fed < wire.size();) {
    const absl::Span<char> room = splitter_->Room();
    EXPECT_TRUE(room.size() == FrameSplitter::kBufferBytesMin ||
                room.size() ==
                    kLengthBytes + bytes - FrameSplitter::kBufferBytesMin)
        << room.size();
    std::memcpy(room.data(), wire.data() + fed, room.size());
    splitter_->Commit(room.size());
    fed += room.size();
    Take();
  }
  EXPECT_EQ(Texts(), std::vector<std::string>(4, Text(bytes)));
}

TEST_F(FrameSplitterTest, BuffersAreUsedAgainWhenTheirFramesAreGone) {
  Feed(Wire(std::vector<std::string>(100, Text(65536))));
  const std::size_t held = pool_->free_bytes();
  frames_.clear();
  EXPECT_GT(pool_->free_bytes(), held);
  EXPECT_LE(pool_->free_bytes(), BufferPool::kFreeBytesMax);
  const std::size_t before = pool_->free_bytes();
  std::string wire = Wire(std::vector<std::string>(4, Text(65536)));
  wire.erase(0, kPreambleBytes);
  Feed(wire);
  EXPECT_LT(pool_->free_bytes(), before);
}

TEST_F(FrameSplitterTest, AFrameOutlivesSplitterAndPool) {
  Slice kept;
  {
    auto pool = std::make_shared<BufferPool>();
    FrameSplitter splitter(pool, kFrameBytesMax, kReadBufferBytes);
    const std::string wire = Wire({"kept"});
    std::memcpy(splitter.Room().data(), wire.data(), wire.size());
    splitter.Commit(wire.size());
    ASSERT_EQ(splitter.Next(&kept), FrameSplitter::Step::kFrame);
  }
  EXPECT_EQ(kept.bytes, "kept");
}

TEST_F(FrameSplitterTest, WhoIsTurnedAwayIsTold) {
  const std::pair<std::string, FrameSplitter::Fault> cases[] = {
      {std::string("CLNS\x01\0\0\0", 8), FrameSplitter::Fault::kOtherVersion},
      {"CLNS\x03", FrameSplitter::Fault::kOtherVersion},
      {"\x16\x03\x01", FrameSplitter::Fault::kTls},
      {"GET /", FrameSplitter::Fault::kStranger},
      {Wire({}) + "\xff\xff\xff\xff", FrameSplitter::Fault::kTooLong},
  };
  for (const auto& [wire, fault] : cases) {
    Restart();
    bad_ = false;
    Feed(wire);
    EXPECT_EQ(splitter_->fault(), fault) << wire;
  }
}

}  // namespace
}  // namespace stream
}  // namespace cluster::internal
