// The dialect of the Go library, as its encoding/json writes and reads it.

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/codec/json/json.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

Envelope Sample(absl::string_view payload) {
  Envelope envelope;
  envelope.message_id = {0, 345};
  envelope.pid = 2;
  envelope.msg_type = MsgType::kAppendEntriesResponse;
  envelope.sender_id = 1;
  envelope.term = 7;
  envelope.voted = true;
  envelope.payload = std::string(payload);
  return envelope;
}

std::string Write(const Envelope& envelope) {
  std::string message;
  GoJsonCodec().EncodeStandalone(envelope, &message);
  return message;
}

// The value of Msg in what is written.
std::string MsgOf(absl::string_view payload) {
  const std::string begin =
      R"({"MsgId":345,"Pid":2,"MsgType":1,"SenderId":1,"Term":7,)"
      R"("Voted":true,"Msg":)";
  const std::string text = Write(Sample(payload));
  EXPECT_TRUE(absl::StartsWith(text, begin)) << text;
  return text.substr(begin.size(), text.size() - begin.size() - 1);
}

Envelope Read(absl::string_view text) {
  DecodeState state;
  const absl::Status status = GoJsonCodec().DecodeStandalone(text, &state);
  EXPECT_TRUE(status.ok()) << text << ": " << status;
  return state.envelope.ToEnvelope();
}

std::string ErrorOf(absl::string_view text) {
  DecodeState state;
  const absl::Status status = GoJsonCodec().DecodeStandalone(text, &state);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
  return std::string(status.message());
}

std::string PayloadOf(absl::string_view msg) {
  return Read(absl::StrCat(R"({"Pid":1,"Msg":)", msg, R"(,"Term":9})")).payload;
}

TEST(GoJsonTest, AnEnvelopeHasThisText) {
  EXPECT_EQ(Write(Sample("abc")),
            R"({"MsgId":345,"Pid":2,"MsgType":1,"SenderId":1,"Term":7,)"
            R"("Voted":true,"Msg":"abc"})");
  EXPECT_EQ(Read(Write(Sample("abc"))), Sample("abc"));
  Envelope all = Sample("");
  all.pid = kBroadcast;
  all.lane = Lane::kUrgent;
  all.group = 5;
  EXPECT_EQ(Write(all),
            R"({"MsgId":345,"Pid":-1,"MsgType":1,"SenderId":1,"Term":7,)"
            R"("Voted":true,"Msg":"","Lane":"urgent","Group":5})");
  EXPECT_EQ(Read(Write(all)), all);
}

// As json.Marshal writes the structure of a Go program.
TEST(GoJsonTest, AGoProgramsEnvelopeIsRead) {
  Envelope want = Sample("a<b> & \"c\"\xe2\x80\xa8");
  want.sender_id = 0;
  want.voted = false;
  EXPECT_EQ(Read(R"({"Pid":2,"MsgId":345,"MsgType":1,"SenderId":0,"Term":7,)"
                 R"("Voted":false,"Msg":"a\u003cb\u003e \u0026 \"c\"\u2028"})"),
            want);
}

TEST(GoJsonTest, AnyValueIsAPayload) {
  EXPECT_EQ(PayloadOf("null"), "");
  EXPECT_EQ(PayloadOf("true"), "true");
  EXPECT_EQ(PayloadOf(" false "), "false");
  for (const char* text :
       {"0", "-1", "42", "9007199254740993", "18446744073709551616",
        "-9223372036854775808", "1e+21", "2.50", "-1E-7", "{}", "[]", "[1,2]",
        R"({"PrevLogIndex":3,"Entries":[{"Term":1,"Command":"x\u003c"}]})",
        R"({"Msg":{"Msg":"}"},"Term":4,"MsgBase64":true})", "[ 1 , {} ]",
        R"(["]",{"}":"\"]"}])"}) {
    EXPECT_EQ(PayloadOf(text), text);
    EXPECT_EQ(PayloadOf(absl::StrCat(" \n", text, "\t")), text);
    EXPECT_EQ(Read(absl::StrCat("{\"Msg\":", text, "}")).payload, text);
  }
  EXPECT_EQ(Read(R"({"Msg":{"Term":4,"Pid":"x"},"Term":9})").term, 9u);
}

TEST(GoJsonTest, AnObjectOrArrayGoesBackAsOne) {
  for (const char* text :
       {"{}", "[]", R"({"PrevLogIndex":3,"Entries":null})", "[1,[2.50]]",
        "{\"a\":\n \"\xe2\x82\xac\\ud83d\\ude00\"}"}) {
    EXPECT_EQ(MsgOf(text), text);
    EXPECT_EQ(MsgOf(PayloadOf(text)), text);
    EXPECT_EQ(Read(Write(Sample(text))), Sample(text));
  }
}

TEST(GoJsonTest, EveryOtherTextGoesAsAString) {
  for (const char* text : {"",
                           "hello",
                           "42",
                           "true",
                           "null",
                           "{",
                           "{]",
                           "{a}",
                           "{\"a\":1,}",
                           "{}{}",
                           "[1] [2]",
                           "[01]",
                           "{'a':1}",
                           "{1}",
                           " {}",
                           "{} ",
                           "[]\n",
                           "naïve",
                           "{\"a\":\"\\x\"}",
                           "[\"\\ud800\"]",
                           "[1e999]"}) {
    const std::string msg = MsgOf(text);
    EXPECT_EQ(msg.front(), '"') << text;
    EXPECT_EQ(msg.back(), '"') << text;
    EXPECT_EQ(PayloadOf(msg), text);
  }
  EXPECT_EQ(MsgOf(R"( {"a":1})"), R"(" {\"a\":1}")");
  const std::string zero("{}\0}", 4);
  EXPECT_EQ(MsgOf(zero), R"("{}\u0000}")");
  EXPECT_EQ(Read(Write(Sample(zero))), Sample(zero));
  // Long ones too, whatever escapes make of them.
  const std::string quotes(5000, '"');
  EXPECT_EQ(MsgOf(quotes).size(), 10002u);
  EXPECT_EQ(Read(Write(Sample(quotes))), Sample(quotes));
}

// encoding/json writes a []byte in base64.
TEST(GoJsonTest, OtherBytesGoInBase64) {
  EXPECT_EQ(Write(Sample("\xff\xfe")),
            R"({"MsgId":345,"Pid":2,"MsgType":1,"SenderId":1,"Term":7,)"
            R"("Voted":true,"MsgBase64":true,"Msg":"//4="})");
  for (const std::size_t bytes : {1, 2, 3, 4, 5000}) {
    const Envelope envelope = Sample(std::string(bytes, '\xff'));
    EXPECT_EQ(Read(Write(envelope)), envelope);
  }
  EXPECT_EQ(PayloadOf(R"("//4=","MsgBase64x":true)"), "//4=");
  EXPECT_TRUE(absl::StrContains(ErrorOf(R"({"Msg":"//4=","MsgBase64":true})"),
                                "MsgBase64: neither true nor false, before"));
  EXPECT_TRUE(absl::StrContains(ErrorOf(R"({"MsgBase64":true,"Msg":"?"})"),
                                "Payload: "));
}

TEST(GoJsonTest, AnIdIsAnyNumberOf64Bits) {
  EXPECT_EQ(Read(R"({"MsgId":9223372036854775807})").message_id,
            (MessageId{0, 9223372036854775807u}));
  EXPECT_EQ(Read(R"({"MsgId":-1})").message_id,
            (MessageId{0, 18446744073709551615u}));
  // Go reads it as an int64.
  Envelope last = Sample("");
  last.message_id = {77, 18446744073709551615u};
  EXPECT_TRUE(absl::StartsWith(Write(last), R"({"MsgId":-1,)"));
  EXPECT_TRUE(absl::StrContains(ErrorOf(R"({"Term":-1})"), "Term: "));
}

TEST(GoJsonTest, AValueMayNestAsDeepAsItReturns) {
  const auto nested = [](int depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  const std::string deepest = nested(kJsonDepthMax - 1);
  EXPECT_EQ(PayloadOf(deepest), deepest);
  EXPECT_EQ(MsgOf(deepest), deepest);
  const std::string too_deep = nested(kJsonDepthMax);
  EXPECT_TRUE(absl::StrContains(
      ErrorOf(absl::StrCat("{\"Msg\":", too_deep, "}")), "too deeply"));
  EXPECT_EQ(MsgOf(too_deep), "\"" + too_deep + "\"");
}

TEST(GoJsonTest, TheOrdinaryCodecTakesNoOtherValues) {
  DecodeState state;
  for (const char* msg : {"null", "{}", "[]", "5", "-5", "true", "1.5"}) {
    EXPECT_FALSE(
        JsonCodec()
            .DecodeStandalone(absl::StrCat("{\"Msg\":", msg, "}"), &state)
            .ok())
        << msg;
  }
  EXPECT_FALSE(JsonCodec().DecodeStandalone(R"({"MsgId":-1})", &state).ok());
}

}  // namespace
}  // namespace cluster::internal
