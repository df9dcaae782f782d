#include "cluster/codec/json/text.h"

#include <string>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

TEST(TextTest, ValidTextAtEveryOffsetFromAWord) {
  for (const std::string text :
       {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
        "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf"}) {
    for (int pad = 0; pad < 17; ++pad) {
      const std::string padded =
          std::string(pad, 'a') + text + std::string(pad, 'b');
      EXPECT_EQ(Utf8Bytes(padded), padded.size());
    }
  }
}

TEST(TextTest, TheFirstFaultIsFoundAtEveryOffsetFromAWord) {
  for (const std::string text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z", "\xe0\x9f\xbf",
        "\xe2\x82", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
        "\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xfe",
        "\xff"}) {
    for (int pad = 0; pad < 17; ++pad) {
      const std::string before(pad, 'a');
      EXPECT_EQ(Utf8Bytes(before + text), before.size());
      EXPECT_EQ(Utf8Bytes(before + text + before), before.size());
    }
  }
  EXPECT_FALSE(IsUtf8("\xff"));
}

TEST(TextTest, EveryByteIsCountedAsItIsEscaped) {
  for (int c = 0; c < 256; ++c) {
    const bool letter =
        c != 0 && std::string("\b\f\n\r\t\"\\").find(static_cast<char>(c)) !=
                      std::string::npos;
    const std::size_t bytes = letter ? 2 : c < 0x20 ? 6 : 1;
    for (int at = 0; at < 20; ++at) {
      std::string text(20, 'a');
      text[at] = static_cast<char>(c);
      ASSERT_EQ(EscapedBytes(text), 19 + bytes) << c << " at " << at;
    }
  }
}

TEST(TextTest, Base64HasFourBytesForThree) {
  EXPECT_EQ(Base64Bytes(0), 0u);
  EXPECT_EQ(Base64Bytes(1), 4u);
  EXPECT_EQ(Base64Bytes(3), 4u);
  EXPECT_EQ(Base64Bytes(4), 8u);
}

}  // namespace
}  // namespace cluster::internal
