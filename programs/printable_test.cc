#include "programs/printable.h"

#include <string>

#include "gtest/gtest.h"

namespace cluster {
namespace {

TEST(PrintableTest, LeavesWhatAPersonCanRead) {
  for (const char* text :
       {"", "hello, world", "caf\u00e9", "\u65e5\u672c\u8a9e",
        "\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d\u0628\u0627",
        "\U0001f600", "e\u0301", "a\u00a0b\u3000c"}) {
    EXPECT_EQ(Printable(text), text);
  }
}

TEST(PrintableTest, EscapesTheControlsOfTerminals) {
  EXPECT_EQ(Printable("a\nb\rc\td\\e"), "a\\nb\\rc\\td\\\\e");
  EXPECT_EQ(Printable("\x1b[31m\x07\x7f"), "\\x1b[31m\\x07\\x7f");
  EXPECT_EQ(Printable(absl::string_view("\0", 1)), "\\x00");
  // C1 controls, which some terminals obey.
  EXPECT_EQ(Printable("\u0080\u009b2J"), "\\u0080\\u009b2J");
}

TEST(PrintableTest, EscapesEveryCharacterThatTurnsOrHidesText) {
  EXPECT_EQ(Printable("\u202eabc\u202c"), "\\u202eabc\\u202c");
  const char* const kHidden[] = {
      "\u00ad",                                        // soft hyphen
      "\u061c",     "\u200e",     "\u200f",            // marks of direction
      "\u202a",     "\u202b",     "\u202c", "\u202d",  // embeddings
      "\u2066",     "\u2067",     "\u2068", "\u2069",  // isolates
      "\u200b",     "\u200c",     "\u200d", "\u2060",  // of no width
      "\u2028",     "\u2029",                          // separators of lines
      "\ufeff",     "\ufff9",     "\ufffb",  // byte order, annotations
      "\u115f",     "\u3164",     "\uffa0",  // fillers
      "\ufe0f",     "\U000e0100",            // variations
      "\U000e0001", "\U000e0041",            // tags
      "\U0001d173", "\U00013430",            // of music and hieroglyphs
      "\ue000",     "\U00100000", "\ufdd0", "\uffff",  // no character
  };
  for (const char* text : kHidden) {
    const std::string shown = Printable(text);
    EXPECT_EQ(shown[0], '\\') << text;
    EXPECT_TRUE(shown.size() == 6 || shown.size() == 10) << shown;
  }
  EXPECT_EQ(Printable("\U000e0041"), "\\U000e0041");
}

TEST(PrintableTest, EscapesBytesThatAreNotUtf8) {
  EXPECT_EQ(Printable("\xff\xc3\xa9\x80"), "\\xff\xc3\xa9\\x80");
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(Printable("\xc0\x9b"), "\\xc0\\x9b");           // overlong
  EXPECT_EQ(Printable("a\xe2\x80"), "a\\xe2\\x80");         // cut
}

}  // namespace
}  // namespace cluster
