#include "cluster/codec/binary/binary.h"

#include <string>

#include "absl/strings/escaping.h"
#include "cluster/codec/frame_header.h"
#include "cluster/codec/little_endian.h"
#include "cluster/codec/testing/fuzz.h"
#include "cluster/codec/testing/hex.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

Envelope Sample() {
  Envelope envelope;
  envelope.message_id = {0x1122334455667788, 300};
  envelope.pid = 2;
  envelope.msg_type = MsgType::kRequestVoteRequest;
  envelope.sender_id = 1;
  envelope.term = 7;
  envelope.voted = true;
  envelope.payload = "abc";
  return envelope;
}

// incarnation, sequence 300, sender 1, pid 2, type 2, term 7, normal and voted
const char kFullFields[] =
    "80"
    "8877665544332211"
    "ac02"
    "01"
    "03"
    "0200"
    "07"
    "05";

// The record of `second` behind one of `first`, in hex.
std::string After(const Envelope& first, const Envelope& second) {
  const Codec& codec = BinaryCodec();
  EncodeState state;
  std::string body(codec.RecordBytesMax(first) + codec.RecordBytesMax(second),
                   '\0');
  char* const middle = codec.AppendRecord(first, &state, &body[0]);
  char* const end = codec.AppendRecord(second, &state, middle);
  return absl::BytesToHexString(std::string(middle, end));
}

// Reads a body of these bytes, up to its first error.
absl::Status Read(const std::string& hex) {
  const std::string body = FromHex(hex);
  absl::string_view rest = body;
  DecodeState state;
  absl::Status status;
  while (status.ok() && !rest.empty()) {
    status = BinaryCodec().NextRecord(&rest, &state);
  }
  return status;
}

std::string ErrorOf(const std::string& hex) {
  return std::string(Read(hex).message());
}

std::string Full() { return std::string(kFullFields) + "00"; }

TEST(BinaryTest, AFullRecordHasTheseBytes) {
  const Codec& codec = BinaryCodec();
  EncodeState state;
  std::string body(codec.RecordBytesMax(Sample()), '\0');
  body.resize(static_cast<std::size_t>(
      codec.AppendRecord(Sample(), &state, &body[0]) - body.data()));
  EXPECT_EQ(absl::BytesToHexString(body),
            std::string(kFullFields) + "03" + "616263");
}

TEST(BinaryTest, ALikeRecordCostsTwoBytes) {
  Envelope next = Sample();
  next.message_id.sequence++;
  EXPECT_EQ(After(Sample(), next), "0003616263");
  next.payload.assign(64, 'x');
  EXPECT_EQ(After(Sample(), next).size() / 2, 2u + 64u);
}

TEST(BinaryTest, EachChangeIsSpelledOutAlone) {
  Envelope next = Sample();
  next.payload.clear();
  next.message_id.sequence = 299;  // two below what would follow
  EXPECT_EQ(After(Sample(), next), "010300");
  next.message_id.sequence = 303;
  EXPECT_EQ(After(Sample(), next), "010400");
  next.message_id.sequence = 301;
  Envelope other = next;
  other.pid = kBroadcast;
  EXPECT_EQ(After(Sample(), other), "020000");
  other = next;
  other.msg_type = static_cast<MsgType>(0x1234);
  EXPECT_EQ(After(Sample(), other), "04341200");
  other = next;
  other.term = 300;
  EXPECT_EQ(After(Sample(), other), "08ac0200");
  other = next;
  other.voted = false;
  EXPECT_EQ(After(Sample(), other), "100100");
  other.lane = Lane::kBulk;
  EXPECT_EQ(After(Sample(), other), "100200");
}

TEST(BinaryTest, AnotherIncarnationOrSenderMakesAFullRecord) {
  Envelope next = Sample();
  next.message_id.incarnation++;
  EXPECT_EQ(After(Sample(), next).substr(0, 4), "8089");
  next = Sample();
  next.sender_id = 9;
  EXPECT_EQ(After(Sample(), next).substr(0, 2), "80");
}

TEST(BinaryTest, AFullRecordWithAGroupHasAMarkerOfItsOwn) {
  Envelope grouped = Sample();
  grouped.group = 300;
  const std::string fields = std::string(kFullFields).substr(2);
  const auto written = [](const Envelope& envelope) {
    EncodeState state;
    std::string body(BinaryCodec().RecordBytesMax(envelope), '\0');
    body.resize(static_cast<std::size_t>(
        BinaryCodec().AppendRecord(envelope, &state, &body[0]) - body.data()));
    return absl::BytesToHexString(body);
  };
  EXPECT_EQ(written(grouped), "81" + fields + "ac02" + "00" + "03616263");
  grouped.group = 0;
  grouped.correlation = 5;
  EXPECT_EQ(written(grouped), "81" + fields + "00" + "05" + "03616263");
}

// One that has them as the record before has them costs nothing more.
TEST(BinaryTest, GroupAndCorrelationAreSpelledOutWhenTheyChange) {
  Envelope next = Sample();
  next.message_id.sequence++;
  next.payload.clear();
  Envelope grouped = next;
  grouped.group = 7;
  EXPECT_EQ(After(Sample(), grouped), "200700");
  grouped.correlation = 300;
  EXPECT_EQ(After(Sample(), grouped), "6007ac0200");
  Envelope same = grouped;
  same.message_id.sequence++;
  EXPECT_EQ(After(grouped, same), "0000");
  same.group = 0;
  EXPECT_EQ(After(grouped, same), "200000");
  same.correlation = 0;
  EXPECT_EQ(After(grouped, same), "60000000");
  same.term = 8;
  EXPECT_EQ(After(grouped, same), "6808000000");
}

// A full record leans on nothing: 0x80 means that there are none.
TEST(BinaryTest, AFullRecordWithoutThemHasNone) {
  Envelope grouped = Sample();
  grouped.group = 1;
  grouped.correlation = 2;
  Envelope next = Sample();
  next.sender_id = 9;
  const std::string body =
      FromHex(After(Sample(), grouped) + After(grouped, next));
  EXPECT_EQ(After(grouped, next).substr(0, 2), "80");
  const std::string first = FromHex(Full());
  const std::string all = first + body;
  absl::string_view rest = all;
  DecodeState state;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(BinaryCodec().NextRecord(&rest, &state).ok());
    EXPECT_EQ(state.envelope.group, i == 1 ? 1u : 0u);
    EXPECT_EQ(state.envelope.correlation, i == 1 ? 2u : 0u);
  }
}

TEST(BinaryTest, SequencesWrapAround) {
  Envelope last = Sample();
  last.message_id.sequence = ~std::uint64_t{0};
  Envelope next = Sample();
  next.message_id.sequence = 0;
  EXPECT_EQ(After(last, next), "0003616263");
  EXPECT_EQ(After(next, last), "010303616263");
}

TEST(BinaryTest, EachFaultOfAFullRecordIsNamedWithItsByte) {
  const std::string start = "808877665544332211";
  EXPECT_EQ(ErrorOf("80"), "binary record: cut short in incarnation at byte 1");
  EXPECT_EQ(ErrorOf(start), "binary record: cut short in sequence at byte 9");
  EXPECT_EQ(ErrorOf(start + "ffffffffffffffffff02"),
            "binary record: overlong sequence at byte 9");
  EXPECT_EQ(ErrorOf(start + "8000"),
            "binary record: overlong sequence at byte 9");
  EXPECT_EQ(ErrorOf(start + "01" + "8080808008"),
            "binary record: impossible sender_id at byte 10");
  EXPECT_EQ(ErrorOf(start + "01" + "01" + "8180808008"),
            "binary record: impossible pid at byte 11");
  EXPECT_EQ(ErrorOf(start + "010101" + "02"),
            "binary record: cut short in type at byte 12");
  EXPECT_EQ(ErrorOf(start + "010101" + "0200" + "ff"),
            "binary record: cut short in term at byte 14");
  for (const char* state : {"03", "07", "08", "80"}) {
    EXPECT_EQ(ErrorOf(start + "010101" + "0200" + "07" + state + "00"),
              "binary record: impossible state at byte 15")
        << state;
  }
  EXPECT_EQ(ErrorOf(std::string(kFullFields) + "04616263"),
            "binary record: cut short in payload at byte 18");
  EXPECT_EQ(ErrorOf(std::string(kFullFields) + "ffffffffffffffffff01" + "61"),
            "binary record: cut short in payload at byte 27");
}

TEST(BinaryTest, EachFaultOfALaterRecordIsNamedWithItsByte) {
  ASSERT_TRUE(Read(Full()).ok());
  EXPECT_EQ(ErrorOf(Full() + "00"),
            "binary record: cut short in payload length at byte 1");
  EXPECT_EQ(ErrorOf(Full() + "0003" + "6162"),
            "binary record: cut short in payload at byte 2");
  EXPECT_EQ(ErrorOf(Full() + "008000"),
            "binary record: overlong payload length at byte 1");
  EXPECT_EQ(ErrorOf(Full() + "01ffffffffffffffffff7f00"),
            "binary record: overlong sequence at byte 1");
  EXPECT_EQ(ErrorOf(Full() + "20ffffffffffffffffff0200"),
            "binary record: overlong group at byte 1");
  EXPECT_EQ(ErrorOf(Full() + "40"),
            "binary record: cut short in correlation at byte 1");
  for (const char* flags : {"82", "a0", "c0", "ff"}) {
    EXPECT_EQ(ErrorOf(Full() + flags + "0000000000000000"),
              "binary record: unknown flags at byte 0")
        << flags;
  }
}

TEST(BinaryTest, AFirstRecordThatLeansOnNothingIsRefused) {
  EXPECT_EQ(ErrorOf("0000"),
            "binary record: leans on a record before it, and there is none, "
            "at byte 0");
  EXPECT_TRUE(absl::IsInvalidArgument(Read("0000")));
}

TEST(BinaryTest, AStandaloneMessageHasTheseBytes) {
  std::string message;
  BinaryCodec().EncodeStandalone(Sample(), &message);
  const std::string record = FromHex(std::string(kFullFields) + "03616263");
  std::string sum(4, '\0');
  StoreLittle<std::uint32_t>(&sum[0], Crc32c(record));
  EXPECT_EQ(absl::BytesToHexString(message),
            absl::BytesToHexString("\xc1\x01" + sum + record));
}

TEST(BinaryTest, EveryFlippedBitOfAStandaloneMessageIsSeen) {
  std::string message;
  BinaryCodec().EncodeStandalone(Sample(), &message);
  DecodeState state;
  ASSERT_TRUE(BinaryCodec().DecodeStandalone(message, &state).ok());
  for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
    std::string flipped = message;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(BinaryCodec().DecodeStandalone(flipped, &state).ok())
        << "bit " << bit;
  }
}

// Nothing has the checksum 0. The buffer has its exact length, so that a
// sanitizer sees a look for the record.
TEST(BinaryTest, AStandaloneMessageWithoutARecordIsCutShort) {
  const ExactCopy message(std::string("\xc1\x01\0\0\0\0", 6));
  DecodeState state;
  const absl::Status status =
      BinaryCodec().DecodeStandalone(message.bytes(), &state);
  EXPECT_EQ(status, absl::DataLossError("binary message: cut short at byte 6"));
}

TEST(BinaryTest, AStandaloneMessageLeansOnNothing) {
  const std::string record("\0\0", 2);
  std::string message = "\xc1\x01....";
  StoreLittle<std::uint32_t>(&message[2], Crc32c(record));
  DecodeState state;
  state.first = false;
  EXPECT_FALSE(BinaryCodec().DecodeStandalone(message + record, &state).ok());
}

}  // namespace
}  // namespace cluster::internal
