#include "cluster/config/positioned_json.h"

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

std::string ErrorOf(absl::string_view text, const JsonBounds& bounds = {}) {
  const absl::StatusOr<JsonValue> root =
      ParsePositionedJson(text, "a.json", bounds);
  if (root.ok()) return "no error";
  EXPECT_EQ(root.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(root.status().message());
}

JsonValue Parsed(absl::string_view text) {
  const absl::StatusOr<JsonValue> root = ParsePositionedJson(text, "a.json");
  EXPECT_TRUE(root.ok()) << root.status();
  return root.ok() ? *root : JsonValue();
}

TEST(PositionedJsonTest, BuildsTheTreeInTheFilesOrder) {
  const JsonValue root = Parsed(
      R"({"b": [1, "two", null, true, false], "a": {"x": {}}, "b": []})");
  ASSERT_EQ(root.type, JsonType::kObject);
  ASSERT_EQ(root.members.size(), 3u);
  EXPECT_EQ(root.members[0].key, "b");
  EXPECT_EQ(root.members[1].key, "a");
  EXPECT_EQ(root.members[2].key, "b") << "duplicates are the reader's";
  const std::vector<JsonValue>& items = root.members[0].value.items;
  ASSERT_EQ(items.size(), 5u);
  EXPECT_EQ(items[0].int64, 1);
  EXPECT_EQ(items[1].text, "two");
  EXPECT_EQ(items[2].type, JsonType::kNull);
  EXPECT_TRUE(items[3].boolean);
  EXPECT_EQ(items[4].type, JsonType::kBool);
  EXPECT_FALSE(items[4].boolean);
  EXPECT_EQ(root.members[1].value.members[0].value.type, JsonType::kObject);
}

TEST(PositionedJsonTest, KnowsLinesAndColumnsOfKeysAndValues) {
  const JsonValue root = Parsed(
      "{\"a\" :\n"
      "  \"\xc3\xa9\", \"b\": [\r\n"
      "    {},\n"
      "\n"
      "    -1.5]}");
  EXPECT_EQ(root.line, 1);
  EXPECT_EQ(root.column, 1);
  EXPECT_EQ(root.members[0].line, 1);
  EXPECT_EQ(root.members[0].column, 2);
  EXPECT_EQ(root.members[0].value.line, 2);
  EXPECT_EQ(root.members[0].value.column, 3);
  EXPECT_EQ(root.members[1].line, 2);
  EXPECT_EQ(root.members[1].column, 8) << "an accented letter is one column";
  const JsonValue& list = root.members[1].value;
  EXPECT_EQ(list.line, 2);
  EXPECT_EQ(list.column, 13);
  EXPECT_EQ(list.items[0].line, 3);
  EXPECT_EQ(list.items[1].line, 5);
  EXPECT_EQ(list.items[1].column, 5);
}

TEST(PositionedJsonTest, TellsKindsOfNumbersApart) {
  const JsonValue root = Parsed(
      "[-0, -9223372036854775808, 9223372036854775807, 9223372036854775808, "
      "18446744073709551615, 18446744073709551616, 1.0, 1e3, -2.5E-1]");
  EXPECT_EQ(root.items[0].type, JsonType::kInt);
  EXPECT_EQ(root.items[1].int64, INT64_MIN);
  EXPECT_EQ(root.items[2].int64, INT64_MAX);
  EXPECT_EQ(root.items[2].uint64, static_cast<std::uint64_t>(INT64_MAX));
  EXPECT_EQ(root.items[3].type, JsonType::kUint);
  EXPECT_EQ(root.items[3].uint64, 9223372036854775808u);
  EXPECT_EQ(root.items[4].uint64, UINT64_MAX);
  EXPECT_EQ(root.items[5].type, JsonType::kDouble);
  EXPECT_EQ(root.items[5].text, "18446744073709551616");
  EXPECT_EQ(root.items[6].type, JsonType::kDouble);
  EXPECT_EQ(root.items[7].number, 1000.0);
  EXPECT_EQ(root.items[7].text, "1e3");
  EXPECT_EQ(root.items[8].number, -0.25);
}

TEST(PositionedJsonTest, UndoesEscapes) {
  EXPECT_EQ(Parsed(R"("\"\\\/\b\n\u0041\u00e9\ud83d\ude00")").text,
            "\"\\/\b\nA\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_EQ(Parsed(R"("a\u0000b")").text, std::string("a\0b", 3));
}

TEST(PositionedJsonTest, SyntaxErrorsSayWhereAndWhat) {
  EXPECT_EQ(ErrorOf(""), "a.json:1:1: the text is empty; want an object");
  EXPECT_EQ(ErrorOf(" \n "), "a.json:2:2: the text is empty; want an object");
  EXPECT_EQ(ErrorOf("{} x"),
            "a.json:1:4: found \"x\", want nothing after the document's end");
  EXPECT_EQ(ErrorOf("{\n  a: 1}"),
            "a.json:2:3: found \"a\", want a key in double quotes");
  EXPECT_EQ(ErrorOf("{\"a\" 1}"),
            "a.json:1:6: found \"1\", want \":\" after the key");
  EXPECT_EQ(ErrorOf("{\"a\": 1\n \"b\": 2}"),
            "a.json:2:2: found a double quote, want \",\" or \"}\"");
  EXPECT_EQ(ErrorOf("[1 2]"), "a.json:1:4: found \"2\", want \",\" or \"]\"");
  EXPECT_EQ(ErrorOf("{\"a\": 1,\n}"),
            "a.json:2:1: found \"}\", want a key in double quotes; JSON allows "
            "no comma before a closing bracket");
  EXPECT_EQ(ErrorOf("{\"a\": ture}"),
            "a.json:1:7: found \"ture\", want an object, an array, a string, a "
            "number, true, false or null");
  EXPECT_EQ(ErrorOf("[1, NaN]"),
            "a.json:1:5: found \"NaN\", want an object, an array, a string, a "
            "number, true, false or null");
  EXPECT_EQ(ErrorOf("{\"a\": 1"),
            "a.json:1:8: found the end of the text, want \",\" or \"}\"");
  EXPECT_EQ(ErrorOf("[1.]"),
            "a.json:1:4: found \"]\", want a digit after the decimal point");
  EXPECT_EQ(ErrorOf("[1e]"),
            "a.json:1:4: found \"]\", want a digit in the exponent");
  EXPECT_EQ(ErrorOf("[1e999]"),
            "a.json:1:2: found \"1e999\", a number too large for a double");
}

TEST(PositionedJsonTest, CommentsAreErrors) {
  EXPECT_EQ(ErrorOf("{\n  // the servers\n  \"a\": 1}"),
            "a.json:2:3: found \"/\", want a key in double quotes; JSON has no "
            "comments");
  EXPECT_EQ(ErrorOf("{\"a\": /* one */ 1}"),
            "a.json:1:7: found \"/\", want an object, an array, a string, a "
            "number, true, false or null; JSON has no comments");
  EXPECT_EQ(ErrorOf("# x\n{}"),
            "a.json:1:1: found \"#\", want an object, an array, a string, a "
            "number, true, false or null; JSON has no comments");
}

TEST(PositionedJsonTest, StringErrorsSayWhereAndWhat) {
  EXPECT_EQ(ErrorOf("[\"abc"),
            "a.json:1:2: the text ends within a string; want a closing double "
            "quote");
  EXPECT_EQ(ErrorOf("[\"abc\n\"]"),
            "a.json:1:6: found the end of the line within a string; want a "
            "closing double quote, or an escape such as \\n");
  EXPECT_EQ(ErrorOf("[\"\\x\"]"),
            "a.json:1:3: a backslash stands before one of \"\\/bfnrtu only");
  EXPECT_EQ(ErrorOf("[\"\\u12g4\"]"),
            "a.json:1:3: want four hexadecimal digits after \\u");
  EXPECT_EQ(ErrorOf("['a']"),
            "a.json:1:2: found \"'\", want an object, an array, a string, a "
            "number, true, false or null; JSON's quotes are double quotes");
}

TEST(PositionedJsonTest, WhatIsNotUtf8IsAnError) {
  for (absl::string_view bad : {"\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80",
                                "\xf4\x90\x80\x80", "\xff"}) {
    EXPECT_EQ(ErrorOf("[\"ab" + std::string(bad) + "\"]"),
              "a.json:1:5: the text is not UTF-8");
    EXPECT_NE(ErrorOf("{\"" + std::string(bad) + "\": 1}"), "no error");
    EXPECT_NE(ErrorOf("[" + std::string(bad) + "]"), "no error");
  }
  EXPECT_EQ(ErrorOf(R"(["\ud800"])"),
            "a.json:1:3: the \\u escape is half of a surrogate pair");
  EXPECT_EQ(ErrorOf(R"([1, "\udc00"])"),
            "a.json:1:5: the string holds half of a surrogate pair");
  EXPECT_EQ(ErrorOf(R"({"\udfff": 1})"),
            "a.json:1:2: the string holds half of a surrogate pair");
  EXPECT_EQ(ErrorOf("\xef\xbb\xbf{}"),
            "a.json:1:1: found a byte order mark, want UTF-8 without one");
}

TEST(PositionedJsonTest, AZeroByteDoesNotEndTheText) {
  EXPECT_EQ(ErrorOf(absl::string_view("{}\n\0 garbage", 12)),
            "a.json:2:1: found a zero byte, want JSON text");
}

TEST(PositionedJsonTest, BoundsHold) {
  JsonBounds bounds;
  bounds.bytes_max = 10;
  EXPECT_EQ(ErrorOf("[         ]", bounds),
            "a.json: found 11 bytes, want at most 10");
  EXPECT_EQ(ErrorOf("[        ]", bounds), "no error");

  bounds = JsonBounds();
  bounds.depth_max = 2;
  EXPECT_EQ(ErrorOf("[{}, [[]]]", bounds),
            "a.json:1:7: arrays and objects nested more than 2 deep");
  EXPECT_EQ(ErrorOf("[{}, []]", bounds), "no error");

  bounds = JsonBounds();
  bounds.values_max = 3;
  EXPECT_EQ(ErrorOf("[1, 2, 3]", bounds), "a.json:1:8: more than 3 values");
  EXPECT_EQ(ErrorOf("[1, 2]", bounds), "no error");
}

TEST(PositionedJsonTest, DeepNestingIsAnErrorAndNoStackOverflow) {
  EXPECT_EQ(ErrorOf(std::string(1 << 20, '[')),
            "a.json:1:33: arrays and objects nested more than 32 deep");
}

TEST(PositionedJsonTest, EveryTruncationIsAnError) {
  const std::string text =
      R"({"a": [1, -2.5e3, "x\u00e9\n", true, null], "b": {"c": {}}})";
  for (std::size_t bytes = 0; bytes < text.size(); ++bytes) {
    EXPECT_NE(ErrorOf(text.substr(0, bytes)), "no error") << bytes;
  }
  EXPECT_EQ(ErrorOf(text), "no error");
}

TEST(PositionedJsonTest, PathsQuoteOddKeys) {
  EXPECT_EQ(MemberPath(ItemPath(MemberPath("$", "servers"), 2), "id"),
            "$.servers[2].id");
  EXPECT_EQ(MemberPath("$", "odd key"), "$[\"odd key\"]");
  EXPECT_EQ(MemberPath("$", ""), "$[\"\"]");
  EXPECT_EQ(MemberPath("$", "a\nb"), "$[\"a\\nb\"]");
}

TEST(PositionedJsonTest, DescribesValuesShortAndPrintable) {
  const JsonValue root = Parsed(R"([null, true, 1.50, "a\nb", [], {}, ")" +
                                std::string(79, 'x') + "\xc3\xa9" + "y\"]");
  EXPECT_EQ(Describe(root.items[0]), "null");
  EXPECT_EQ(Describe(root.items[1]), "true");
  EXPECT_EQ(Describe(root.items[2]), "1.50");
  EXPECT_EQ(Describe(root.items[3]), "\"a\\nb\"");
  EXPECT_EQ(Describe(root.items[4]), "an array");
  EXPECT_EQ(Describe(root.items[5]), "an object");
  EXPECT_EQ(Describe(root.items[6]), "\"" + std::string(79, 'x') + "...\"")
      << "cut before the character that does not fit";
}

}  // namespace
}  // namespace cluster::internal
