#include "cluster/session/reassembly.h"

#include <string>

#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using Result = Reassembly::Result;

TEST(Reassembly, JoinsChunksInOrder) {
  Reassembly reassembly(TestBuffers(), 100);
  Slice whole;
  EXPECT_EQ(reassembly.Add(ChunkState::kFirst, 6, "ab", &whole), Result::kPart);
  EXPECT_TRUE(reassembly.unfinished());
  EXPECT_EQ(reassembly.Add(ChunkState::kMiddle, 6, "cd", &whole),
            Result::kPart);
  EXPECT_EQ(reassembly.Add(ChunkState::kLast, 6, "ef", &whole), Result::kWhole);
  EXPECT_EQ(whole.bytes, "abcdef");
  EXPECT_FALSE(reassembly.unfinished());
  // The record does not depend on the reassembly any more.
  EXPECT_EQ(reassembly.Add(ChunkState::kFirst, 6, "gh", &whole), Result::kPart);
  EXPECT_EQ(whole.bytes, "abcdef");
}

TEST(Reassembly, RefusesMoreThanItsLimit) {
  Reassembly reassembly(TestBuffers(), 100);
  Slice whole;
  EXPECT_EQ(reassembly.Add(ChunkState::kFirst, 101, "a", &whole),
            Result::kBroken);
  EXPECT_FALSE(reassembly.unfinished());
  EXPECT_EQ(reassembly.Add(ChunkState::kFirst, 100, "a", &whole),
            Result::kPart);
}

TEST(Reassembly, ChunksThatContradictEachOtherAreBroken) {
  struct Case {
    const char* name;
    ChunkState chunk;
    std::uint64_t total_bytes;
    std::string body;
  };
  // Behind a first chunk "ab" of 6 bytes.
  for (const Case& bad :
       {Case{"another first", ChunkState::kFirst, 6, "cd"},
        Case{"another total", ChunkState::kMiddle, 7, "cd"},
        Case{"an empty one", ChunkState::kMiddle, 6, ""},
        Case{"too much", ChunkState::kLast, 6, "cdefg"},
        Case{"a last one too soon", ChunkState::kLast, 6, "cd"},
        Case{"a middle one at the end", ChunkState::kMiddle, 6, "cdef"},
        Case{"a whole one", ChunkState::kWhole, 0, "cdef"}}) {
    Reassembly reassembly(TestBuffers(), 100);
    Slice whole;
    ASSERT_EQ(reassembly.Add(ChunkState::kFirst, 6, "ab", &whole),
              Result::kPart);
    EXPECT_EQ(reassembly.Add(bad.chunk, bad.total_bytes, bad.body, &whole),
              Result::kBroken)
        << bad.name;
  }
}

TEST(Reassembly, OnlyAFirstChunkBegins) {
  Reassembly reassembly(TestBuffers(), 100);
  Slice whole;
  EXPECT_EQ(reassembly.Add(ChunkState::kMiddle, 6, "ab", &whole),
            Result::kBroken);
  EXPECT_EQ(reassembly.Add(ChunkState::kLast, 6, "ab", &whole),
            Result::kBroken);
  EXPECT_EQ(reassembly.Add(ChunkState::kFirst, 2, "ab", &whole),
            Result::kBroken);
}

TEST(Reassembly, ResetForgetsWhatIsUnfinished) {
  Reassembly reassembly(TestBuffers(), 100);
  Slice whole;
  reassembly.Add(ChunkState::kFirst, 6, "ab", &whole);
  reassembly.Reset();
  EXPECT_EQ(reassembly.Add(ChunkState::kFirst, 4, "xy", &whole), Result::kPart);
  EXPECT_EQ(reassembly.Add(ChunkState::kLast, 4, "zz", &whole), Result::kWhole);
  EXPECT_EQ(whole.bytes, "xyzz");
}

}  // namespace
}  // namespace cluster::internal
