#include "cluster/codec/binary/varint.h"

#include <string>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

std::string Write(std::uint64_t value) {
  std::string out(kVarintBytesMax, '\0');
  out.resize(static_cast<std::size_t>(WriteVarint(&out[0], value) - &out[0]));
  return out;
}

TEST(VarintTest, RoundTripsAroundEveryPowerOfTwo) {
  for (int bit = 0; bit < 64; ++bit) {
    for (const std::uint64_t off : {-1, 0, 1}) {
      const std::uint64_t in = (std::uint64_t{1} << bit) + off;
      const std::string text = Write(in);
      const char* const end = text.data() + text.size();
      const VarintRead out = ReadVarint(text.data(), end);
      ASSERT_EQ(out.end, end) << in;
      ASSERT_EQ(out.value, in);
      for (std::size_t cut = 0; cut < text.size(); ++cut) {
        ASSERT_EQ(ReadVarint(text.data(), text.data() + cut).end, nullptr);
        ASSERT_TRUE(EndsInVarint(text.data(), text.data() + cut));
      }
    }
  }
}

TEST(VarintTest, OnlyTheShortestFormOf64BitsIsTaken) {
  const std::string overlong[] = {
      std::string("\x80\x00", 2), std::string("\xff\x80\x00", 3),
      std::string(9, '\x80') + '\x02', std::string(10, '\x80') + '\x01',
      std::string(20, '\xff')};
  for (const std::string& text : overlong) {
    const char* const end = text.data() + text.size();
    EXPECT_EQ(ReadVarint(text.data(), end).end, nullptr);
    EXPECT_FALSE(EndsInVarint(text.data(), end));
  }
  EXPECT_EQ(Write(~std::uint64_t{0}), std::string(9, '\xff') + '\x01');
}

TEST(VarintTest, ShortOnesReadAlikeAndLongOnesAreLeft) {
  for (std::uint64_t value = 0; value < 40'000; ++value) {
    const std::string text = Write(value);
    const char* const end = text.data() + text.size();
    const VarintRead out = ReadShortVarint(text.data(), end);
    ASSERT_EQ(out.end, text.size() <= 2 ? end : nullptr) << value;
    ASSERT_EQ(out.value, text.size() <= 2 ? value : 0);
    ASSERT_EQ(ReadShortVarint(text.data(), end - 1).end, nullptr) << value;
  }
  const std::string overlong("\x80\x00", 2);
  EXPECT_EQ(ReadShortVarint(overlong.data(), overlong.data() + 2).end, nullptr);
}

TEST(VarintTest, ZigZagPutsSmallDifferencesFirst) {
  const std::int64_t differences[] = {0, -1, 1, -2, 2};
  std::uint64_t coded = 0;
  for (const std::int64_t difference : differences) {
    EXPECT_EQ(ZigZag(static_cast<std::uint64_t>(difference)), coded);
    EXPECT_EQ(UnZigZag(coded), static_cast<std::uint64_t>(difference));
    ++coded;
  }
  for (const std::uint64_t far :
       {~std::uint64_t{0} >> 1, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
    EXPECT_EQ(UnZigZag(ZigZag(far)), far);
  }
}

}  // namespace
}  // namespace cluster::internal
