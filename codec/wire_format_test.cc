// The examples of docs/wire-format.md and docs/session.md are what the code
// writes.

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "cluster/codec/binary/binary.h"
#include "cluster/codec/frame_header.h"
#include "cluster/codec/hello.h"
#include "cluster/codec/json/json.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

// The lines of the document's fenced blocks that open with "```<opening>".
std::vector<std::vector<std::string>> Blocks(
    const std::string& opening,
    const std::string& document = "docs/wire-format.md") {
  std::ifstream in(document);
  EXPECT_TRUE(in) << document << " cannot be read";
  std::vector<std::vector<std::string>> blocks;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line == "```" + opening) {
      blocks.emplace_back();
      inside = true;
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      blocks.back().push_back(line);
    }
  }
  return blocks;
}

// The bytes of a block whose lines are "offset  hex bytes  # note"; the offsets
// are checked too.
std::string HexExample(const std::string& name,
                       const std::string& document = "docs/wire-format.md") {
  const auto blocks = Blocks("hex " + name, document);
  EXPECT_EQ(blocks.size(), 1u) << name;
  std::string hex;
  for (const std::string& line : blocks.at(0)) {
    const std::string bytes = line.substr(0, line.find('#'));
    std::vector<std::string> words =
        absl::StrSplit(bytes, ' ', absl::SkipEmpty());
    EXPECT_EQ(words.front(), std::to_string(hex.size() / 2)) << line;
    for (std::size_t i = 1; i < words.size(); ++i) hex += words[i];
  }
  return hex;
}

Envelope FirstEnvelope() {
  Envelope envelope;
  envelope.message_id = {0x1122334455667788, 300};
  envelope.pid = 2;
  envelope.msg_type = MsgType::kRequestVoteRequest;
  envelope.sender_id = 1;
  envelope.term = 7;
  envelope.voted = true;
  envelope.payload = "hello";
  return envelope;
}

std::string Body(const std::vector<Envelope>& envelopes) {
  EncodeState state;
  std::string body;
  for (const Envelope& envelope : envelopes) {
    std::string record(BinaryCodec().RecordBytesMax(envelope), '\0');
    char* const end = BinaryCodec().AppendRecord(envelope, &state, &record[0]);
    body.append(record.data(), end);
  }
  return body;
}

std::string BinaryBody() {
  Envelope second = FirstEnvelope();
  second.message_id.sequence = 301;
  second.payload = "again";
  Envelope third = second;
  third.message_id.sequence = 302;
  third.pid = kBroadcast;
  third.term = 8;
  third.voted = false;
  third.payload = "new";
  return Body({FirstEnvelope(), second, third});
}

TEST(WireFormatTest, TheFrameIsWhatTheCodeWrites) {
  const std::string body = BinaryBody();
  FrameHeader header;
  header.kind = FrameKind::kData;
  header.flags = kAckRequest;
  header.codec = BinaryCodec().Id();
  header.body_crc = Crc32c(body);
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  header.records = 3;
  header.sender_id = 1;
  header.destination_id = 2;
  header.session = 0xa1a2a3a4a5a6a7a8;
  header.sequence = 5;
  header.received_through = 3;
  header.consumed_through = 2;
  header.stamp = 9;
  std::string frame(kFrameHeaderBytes, '\0');
  EncodeFrameHeader(header, &frame[0]);
  EXPECT_EQ(HexExample("frame"), absl::BytesToHexString(frame + body));
}

TEST(WireFormatTest, TheControlFrameIsWhatTheCodeWrites) {
  FrameHeader header;
  header.flags = kGap | kHearsYou;
  header.sender_id = 2;
  header.destination_id = 1;
  header.session = 0xa1a2a3a4a5a6a7a8;
  header.sequence = 2;
  header.received_through = 3;
  header.consumed_through = 3;
  header.stamp = 7;
  std::string frame(kFrameHeaderBytes, '\0');
  EncodeFrameHeader(header, &frame[0]);
  EXPECT_EQ(HexExample("control", "docs/session.md"),
            absl::BytesToHexString(frame));
}

TEST(WireFormatTest, TheHelloIsWhatTheCodeWrites) {
  Hello hello;
  hello.versions = {2, 2};
  hello.features = kFeatureGroups;
  hello.incarnation = 0x1122334455667788;
  hello.epoch = 0x21;
  hello.nonce = 0x31;
  hello.echo_nonce = 0x41;
  hello.echo_epoch = 0x51;
  hello.window_bytes = 4u << 20;
  hello.frame_bytes_max = 16u << 20;
  hello.payload_bytes_max = 64u << 20;
  hello.codec = 1;
  hello.cluster = "demo";
  hello.address = "n1:10001";
  hello.heartbeat_ms = 2000;
  hello.peer_timeout_ms = 5000;
  EXPECT_EQ(HexExample("hello"), absl::BytesToHexString(EncodeHello(hello)));
}

TEST(WireFormatTest, TheRefusalIsWhatTheCodeWrites) {
  Refusal refusal;
  refusal.code = RefusalCode::kNoCommonVersion;
  refusal.text = "no version";
  refusal.echo_nonce = 0x31;
  refusal.versions = {2, 2};
  EXPECT_EQ(HexExample("refusal"),
            absl::BytesToHexString(EncodeRefusal(refusal)));
}

TEST(WireFormatTest, TheGoodbyeIsWhatTheCodeWrites) {
  FrameHeader header;
  header.kind = FrameKind::kGoodbye;
  header.sender_id = 1;
  header.destination_id = 2;
  header.session = 0xa1a2a3a4a5a6a7a8;
  header.received_through = 3;
  header.consumed_through = 2;
  header.stamp = 9;
  const std::string body = EncodeGoodbye({GoodbyeReason::kRemovedYou, ""});
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  header.body_crc = Crc32c(body);
  std::string frame(kFrameHeaderBytes, '\0');
  EncodeFrameHeader(header, &frame[0]);
  EXPECT_EQ(HexExample("goodbye"), absl::BytesToHexString(frame + body));
}

TEST(WireFormatTest, TheRecordsWithGroupsAreWhatTheCodeWrites) {
  Envelope first = FirstEnvelope();
  first.group = 9;
  first.correlation = 300;
  Envelope second = first;
  second.message_id.sequence = 301;
  second.correlation = 301;
  second.payload = "again";
  EXPECT_EQ(HexExample("grouped"),
            absl::BytesToHexString(Body({first, second})));
}

TEST(WireFormatTest, TheStandaloneMessageIsWhatTheCodeWrites) {
  std::string message;
  BinaryCodec().EncodeStandalone(FirstEnvelope(), &message);
  EXPECT_EQ(HexExample("standalone"), absl::BytesToHexString(message));
}

TEST(WireFormatTest, TheJsonObjectsAreWhatTheCodeWrites) {
  Envelope second;
  second.message_id = {1, 2};
  second.pid = kBroadcast;
  second.msg_type = static_cast<MsgType>(64);
  second.sender_id = 1;
  second.payload = "\xff\xfe";
  second.lane = Lane::kUrgent;
  second.group = 9;
  second.correlation = 300;
  const auto blocks = Blocks("json");
  ASSERT_EQ(blocks.size(), 3u);
  std::string message;
  JsonCodec().EncodeStandalone(FirstEnvelope(), &message);
  EXPECT_EQ(blocks[0], std::vector<std::string>{message});
  JsonCodec().EncodeStandalone(second, &message);
  EXPECT_EQ(blocks[1], std::vector<std::string>{message});
  GoJsonCodec().EncodeStandalone(FirstEnvelope(), &message);
  EXPECT_EQ(blocks[2], std::vector<std::string>{message});
}

}  // namespace
}  // namespace cluster::internal
