#include "cluster/codec/json/json.h"

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

Envelope Sample() {
  Envelope envelope;
  envelope.message_id = {12, 345};
  envelope.pid = 2;
  envelope.msg_type = MsgType::kRequestVoteRequest;
  envelope.sender_id = 1;
  envelope.term = 7;
  envelope.voted = true;
  envelope.payload = "abc";
  return envelope;
}

std::string Write(const Envelope& envelope) {
  std::string message;
  JsonCodec().EncodeStandalone(envelope, &message);
  return message;
}

absl::StatusOr<Envelope> Read(absl::string_view text) {
  DecodeState state;
  const absl::Status status = JsonCodec().DecodeStandalone(text, &state);
  if (!status.ok()) return status;
  return state.envelope.ToEnvelope();
}

std::string ErrorOf(absl::string_view text) {
  const absl::Status status = Read(text).status();
  EXPECT_FALSE(status.ok()) << text;
  EXPECT_TRUE(absl::StrContains(status.message(), " at byte ")) << status;
  return std::string(status.message());
}

std::string PayloadOf(absl::string_view text) {
  const auto envelope = Read(text);
  EXPECT_TRUE(envelope.ok()) << envelope.status();
  return envelope.ok() ? envelope->payload : "";
}

TEST(JsonTest, AGroupAndACorrelationStandThereIfThereAreAny) {
  Envelope grouped = Sample();
  grouped.group = 18446744073709551615u;
  grouped.correlation = 5;
  EXPECT_EQ(Write(grouped),
            R"({"MessageId":"12-345","Pid":2,"MsgType":2,"SenderId":1,)"
            R"("Term":7,"Voted":true,"Payload":"abc",)"
            R"("Group":18446744073709551615,"Correlation":5})");
  EXPECT_EQ(*Read(Write(grouped)), grouped);
  for (const char* key : {"Group", "Correlation"}) {
    for (const char* value : {"-1", "1.5", "\"1\"", "18446744073709551616"}) {
      EXPECT_TRUE(absl::StrContains(
          ErrorOf(absl::StrCat("{\"", key, "\":", value, "}")),
          absl::StrCat(key, ": not an integer of 0..2^64-1")))
          << value;
    }
    EXPECT_TRUE(absl::StrContains(
        ErrorOf(absl::StrCat("{\"", key, "\":1,\"", key, "\":1}")),
        "said twice"));
  }
}

TEST(JsonTest, AnEnvelopeHasThisText) {
  EXPECT_EQ(Write(Sample()),
            R"({"MessageId":"12-345","Pid":2,"MsgType":2,"SenderId":1,)"
            R"("Term":7,"Voted":true,"Payload":"abc"})");
  Envelope urgent = Sample();
  urgent.pid = kBroadcast;
  urgent.lane = Lane::kUrgent;
  urgent.payload = "\xff\xfe";
  EXPECT_EQ(Write(urgent),
            R"({"MessageId":"12-345","Pid":-1,"MsgType":2,"SenderId":1,)"
            R"("Term":7,"Voted":true,"PayloadBase64":"//4=","Lane":"urgent"})");
}

TEST(JsonTest, ARecordIsTheSameOnALine) {
  EncodeState state;
  std::string body(JsonCodec().RecordBytesMax(Sample()), '\0');
  char* const end = JsonCodec().AppendRecord(Sample(), &state, &body[0]);
  EXPECT_EQ(std::string(body.data(), end), Write(Sample()) + "\n");
}

TEST(JsonTest, PayloadsThatNeedEscapesStayText) {
  Envelope envelope = Sample();
  envelope.payload = std::string("\0\n\"\\/\x7f", 6) + "\xe2\x82\xac";
  EXPECT_TRUE(absl::StrContains(
      Write(envelope), "\"Payload\":\"\\u0000\\n\\\"\\\\/\x7f\xe2\x82\xac\""))
      << Write(envelope);
  EXPECT_EQ(*Read(Write(envelope)), envelope);
}

// Beyond 128 bytes, whichever is shorter: a record has a bound of 4/3 of its
// payload.
TEST(JsonTest, LongPayloadsThatEscapesWouldMakeLongerAreBase64) {
  for (const char c : {'\x01', '"', '\n'}) {
    Envelope envelope = Sample();
    envelope.payload.assign(128, c);
    EXPECT_TRUE(absl::StrContains(Write(envelope), "\"Payload\":"));
    envelope.payload.assign(129, c);
    EXPECT_TRUE(absl::StrContains(Write(envelope), "\"PayloadBase64\":"));
    // One in four that takes a byte more: as long as base64 at most.
    envelope.payload.assign(1200, 'a');
    for (std::size_t i = 0; i < 1200; i += c == '\x01' ? 20 : 4)
      envelope.payload[i] = c;
    EXPECT_TRUE(absl::StrContains(Write(envelope), "\"Payload\":"));
    EXPECT_EQ(*Read(Write(envelope)), envelope);
  }
}

TEST(JsonTest, Base64IsReadAcrossPieces) {
  for (const std::size_t bytes : {3071, 3072, 3073, 6144, 10000}) {
    Envelope envelope = Sample();
    for (std::size_t i = 0; i < bytes; ++i)
      envelope.payload += static_cast<char>(0x80 + i % 101);
    EXPECT_EQ(*Read(Write(envelope)), envelope) << bytes;
  }
  const std::string padded_amid =
      std::string(4095, 'A') + "=" + std::string(4, 'A');
  ErrorOf("{\"PayloadBase64\":\"" + padded_amid + "\"}");
}

// Unescaping takes the record's own bytes once more, whatever it says.
TEST(JsonTest, DecodingTakesTheRecordOnceMore) {
  std::string escaped;
  for (int i = 0; i < 100000; ++i) escaped += "\\u0001";
  for (const char* key : {"Payload", "Ignored", "PayloadBase64"}) {
    const std::string text = absl::StrCat("{\"", key, "\":\"",
                                          key == std::string("PayloadBase64")
                                              ? std::string(600000, 'A')
                                              : escaped,
                                          "\"}");
    DecodeState state;
    ASSERT_TRUE(JsonCodec().DecodeStandalone(text, &state).ok());
    EXPECT_LE(state.scratch.capacity(), text.size() + 1);
  }
}

TEST(JsonTest, EscapesAreRead) {
  EXPECT_EQ(PayloadOf(R"({"Payload":"a\u0000b\u20ac\ud83d\ude00\/\b"})"),
            std::string("a\0b\xe2\x82\xac\xf0\x9f\x98\x80/\b", 12));
}

TEST(JsonTest, MissingKeysAreZero) {
  EXPECT_EQ(*Read("{}"), Envelope());
  EXPECT_EQ(*Read(" \t\r\n{ } \n"), Envelope());
  // Nothing stays from the message before.
  DecodeState state;
  state.envelope = EnvelopeView(Sample());
  ASSERT_TRUE(JsonCodec().DecodeStandalone("{}", &state).ok());
  EXPECT_EQ(state.envelope.ToEnvelope(), Envelope());
}

TEST(JsonTest, TheSeedsKeysAreRead) {
  const auto envelope =
      Read(R"({"Pid":-1,"MsgId":18446744073709551615,)"
           R"("Msg":"hello","MsgType":"RequestVoteResponse"})");
  ASSERT_TRUE(envelope.ok()) << envelope.status();
  EXPECT_EQ(envelope->message_id, (MessageId{0, 18446744073709551615u}));
  EXPECT_EQ(envelope->pid, kBroadcast);
  EXPECT_EQ(envelope->payload, "hello");
  EXPECT_EQ(envelope->msg_type, MsgType::kRequestVoteResponse);
}

TEST(JsonTest, TermsAreExactTo64Bits) {
  EXPECT_EQ(Read(R"({"Term":18446744073709551615})")->term,
            18446744073709551615u);
  EXPECT_EQ(Read(R"({"Term":9007199254740993})")->term, 9007199254740993u);
}

TEST(JsonTest, UnknownKeysAreIgnoredWhateverTheyHold) {
  const auto envelope =
      Read(R"({"Trace":{"Payload":[1,2.5,null,{"Pid":"x"}],"Pid":true},"a":[],)"
           R"("Term":3,"b":-1e99,"payload":0,"":null,"Lane":"bulk"})");
  ASSERT_TRUE(envelope.ok()) << envelope.status();
  EXPECT_EQ(envelope->term, 3u);
  EXPECT_EQ(envelope->lane, Lane::kBulk);
  EXPECT_EQ(envelope->pid, 0);
}

TEST(JsonTest, WrongValuesAreRefusedByName) {
  const char* const wrong[] = {
      R"("MessageId":5)",
      R"("MessageId":"")",
      R"("MessageId":"5")",
      R"("MessageId":"5-")",
      R"("MessageId":"-5")",
      R"("MessageId":"+5-1")",
      R"("MessageId":"5-1 ")",
      R"("MessageId":"5-18446744073709551616")",
      R"("MessageId":"5- 1")",
      R"("MessageId":null)",
      R"("MsgId":"5")",
      R"("MsgId":-5)",
      R"("Pid":-2)",
      R"("Pid":2147483648)",
      R"("Pid":"2")",
      R"("Pid":2.0)",
      R"("Pid":[2])",
      R"("Pid":-9223372036854775808)",
      R"("MsgType":65536)",
      R"("MsgType":-1)",
      R"("MsgType":"Request")",
      R"("MsgType":true)",
      R"("SenderId":-1)",
      R"("SenderId":2147483648)",
      R"("Term":-1)",
      R"("Term":18446744073709551616)",
      R"("Term":1e3)",
      R"("Term":7.5)",
      R"("Term":null)",
      R"("Voted":1)",
      R"("Voted":"true")",
      R"("Payload":5)",
      R"("Payload":{"a":1})",
      R"("Payload":["a"])",
      R"("Payload":"\udc00")",
      R"("PayloadBase64":5)",
      R"("PayloadBase64":"A")",
      R"("PayloadBase64":"AA")",
      R"("PayloadBase64":"AA=")",
      R"("PayloadBase64":"AA=A")",
      R"("PayloadBase64":"A A=")",
      R"("PayloadBase64":"AA..")",
      R"("PayloadBase64":"A===")",
      R"("PayloadBase64":"====")",
      R"("PayloadBase64":"A-_A")",
      R"("PayloadBase64":"AAAA====")",
      R"("Lane":"Urgent")",
      R"("Lane":0)",
  };
  for (const std::string text : wrong) {
    const std::string key = text.substr(1, text.find('"', 1) - 1);
    const std::string error = ErrorOf("{" + text + "}");
    EXPECT_TRUE(absl::StartsWith(error, "json record: " + key + ": "))
        << text << ": " << error;
  }
}

TEST(JsonTest, TheSameThingTwiceIsRefused) {
  for (const std::string text :
       {R"("Pid":1,"Pid":1)", R"("MessageId":"1-1","MsgId":1)",
        R"("Payload":"a","PayloadBase64":"AA==")", R"("Payload":"","Msg":"")",
        R"("Msg":"","PayloadBase64":"")", R"("Lane":"bulk","Lane":"bulk")"}) {
    EXPECT_TRUE(absl::StrContains(ErrorOf("{" + text + "}"), "said twice"))
        << text;
  }
}

TEST(JsonTest, WhatIsNoObjectIsRefused) {
  const std::string nul(1, '\0');
  for (const std::string& text : {std::string(),
                                  std::string(" "),
                                  nul,
                                  std::string("5"),
                                  std::string("null"),
                                  std::string("\"{}\""),
                                  std::string("[]"),
                                  std::string("{"),
                                  std::string("{}}"),
                                  std::string("{}{}"),
                                  std::string("{},"),
                                  "{}" + nul,
                                  "{}" + nul + "{}",
                                  std::string("{\"Pid\":1,}"),
                                  std::string("{'Pid':1}"),
                                  std::string("{Pid:1}"),
                                  std::string("{\"Pid\":01}"),
                                  std::string("{/**/}"),
                                  std::string("{\"Term\":NaN}"),
                                  std::string("{\"Term\":1e999}"),
                                  "{\"Payload\":\"" + nul + "\"}",
                                  std::string("{\"Payload\":\"\t\"}"),
                                  std::string("{\"Payload\":\"\\x\"}"),
                                  std::string("{\"Payload\":\"\\ud800\"}"),
                                  std::string("{\"Payload\":\"\xff\"}"),
                                  std::string("{\"Payload\":\"\xc0\x80\"}"),
                                  std::string("{\"Payload\":\"\xed\xa0\x80\"}"),
                                  std::string("{\"Other\":\"\xe2\x82\"}")}) {
    ErrorOf(text);
  }
}

TEST(JsonTest, ErrorsNameTheByte) {
  EXPECT_EQ(ErrorOf(R"({"Pid":x})"), "json record: Invalid value. at byte 7");
  EXPECT_EQ(ErrorOf("{\"Payload\":\"ab\xff\"}"),
            "json record: not UTF-8 at byte 14");
  EXPECT_EQ(ErrorOf(R"({"Term":1, "Pid":-2})"),
            "json record: Pid: not an integer of -1..2147483647 at byte 17");
}

TEST(JsonTest, DepthIsBoundedAndCostsNoStack) {
  const auto nested = [](int depth) {
    return absl::StrCat("{\"a\":", std::string(depth, '['),
                        std::string(depth, ']'), "}");
  };
  EXPECT_TRUE(Read(nested(kJsonDepthMax - 1)).ok());
  EXPECT_TRUE(
      absl::StrContains(ErrorOf(nested(kJsonDepthMax)), "nested too deeply"));
  EXPECT_TRUE(absl::StrContains(ErrorOf(nested(10'000'000)), "too deeply"));
}

TEST(JsonTest, ALineOfABodyIsOneObject) {
  DecodeState state;
  for (const std::string body :
       {"\n", "{}{}\n", "{\n}\n", "{\"Payload\":\"a\n"}) {
    absl::string_view rest = body;
    EXPECT_TRUE(absl::IsInvalidArgument(JsonCodec().NextRecord(&rest, &state)))
        << body;
  }
  absl::string_view rest = "{} \r\n{\"Pid\":3}\n";
  ASSERT_TRUE(JsonCodec().NextRecord(&rest, &state).ok());
  ASSERT_TRUE(JsonCodec().NextRecord(&rest, &state).ok());
  EXPECT_EQ(state.envelope.pid, 3);
  EXPECT_TRUE(rest.empty());
}

}  // namespace
}  // namespace cluster::internal
