#include "cluster/codec/frame_header.h"

#include <sys/mman.h>

#include <functional>
#include <string>

#include "absl/strings/escaping.h"
#include "cluster/codec/little_endian.h"
#include "cluster/codec/testing/hex.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

FrameHeader DataHeader(absl::string_view body) {
  FrameHeader header;
  header.kind = FrameKind::kData;
  header.flags = kAckRequest | kGap | kConsumeRequest;
  header.codec = 1;
  header.body_crc = Crc32c(body);
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  header.records = 2;
  header.sender_id = 1;
  header.destination_id = kServerIdMax;
  header.session = 0x1122334455667788;
  header.sequence = 5;
  header.received_through = 3;
  header.consumed_through = 2;
  header.lane = Lane::kUrgent;
  return header;
}

std::string MakeFrame(const FrameHeader& header, absl::string_view body) {
  std::string frame(kFrameHeaderBytes, '\xee');
  EncodeFrameHeader(header, &frame[0]);
  frame.append(body.data(), body.size());
  return frame;
}

// A header checksum that is right for whatever the header's bytes now are.
void SumAgain(std::string* frame) {
  StoreLittle<std::uint32_t>(&(*frame)[8], 0);
  const absl::string_view header(frame->data(), kFrameHeaderBytes);
  StoreLittle<std::uint32_t>(&(*frame)[8], Crc32c(header));
}

FrameError Decode(absl::string_view frame) {
  FrameHeader header;
  absl::string_view body;
  return DecodeFrame(frame, &header, &body);
}

// The frame with one byte set, and the checksum to match.
FrameError DecodeWithByte(std::string frame, std::size_t at, int value) {
  frame[at] = static_cast<char>(value);
  SumAgain(&frame);
  return Decode(frame);
}

TEST(Crc32cTest, MatchesTheVectorsOfRfc3720) {
  EXPECT_EQ(Crc32c(""), 0u);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  std::string up, down;
  for (int i = 0; i < 32; ++i) {
    up.push_back(static_cast<char>(i));
    down.push_back(static_cast<char>(31 - i));
  }
  EXPECT_EQ(Crc32c(up), 0x46dd794eu);
  EXPECT_EQ(Crc32c(down), 0x113fdb5cu);
  const std::string read_command = FromHex(
      "01c00000000000000000000000000000140000000000040000000014"
      "0000001828000000000000000200000000000000");
  ASSERT_EQ(read_command.size(), 48u);
  EXPECT_EQ(Crc32c(read_command), 0xd9963a56u);
}

TEST(Crc32cTest, ExtendsOverEverySplit) {
  const std::string text = "The sum of the whole is that of its parts.";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(Crc32cExtend(Crc32c(text.substr(0, cut)), text.substr(cut)),
              Crc32c(text))
        << "cut at " << cut;
  }
}

TEST(Crc32cTest, TakesMoreThanTheLibraryTakesAtOnce) {
  // Untouched pages of such a mapping share one page of zeros.
  constexpr std::size_t kHalf = std::size_t{1} << 29;
  constexpr std::size_t kBytes = 2 * kHalf + 5;
  void* const map = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(map, MAP_FAILED);
  char* const bytes = static_cast<char*>(map);
  bytes[kBytes - 1] = 1;
  const std::uint32_t halves =
      Crc32cExtend(Crc32c(absl::string_view(bytes, kHalf)),
                   absl::string_view(bytes + kHalf, kHalf));
  EXPECT_EQ(Crc32c(absl::string_view(bytes, kBytes)),
            Crc32cExtend(halves, absl::string_view("\0\0\0\0\1", 5)));
  munmap(map, kBytes);
}

TEST(FrameHeaderTest, HasTheseBytes) {
  EXPECT_EQ(absl::BytesToHexString(MakeFrame(DataHeader("abc"), "abc")),
            "434c463102020b013ebe0d4eb73f4b36"
            "030000000200000001000000ffffff7f"
            "88776655443322110500000000000000"
            "03000000000000000200000000000000"
            "00000000000000000000000000000000"
            "616263");
}

TEST(FrameHeaderTest, EveryFieldReturns) {
  FrameHeader in = DataHeader("abc");
  in.flags = kHearsYou;
  in.records = 1;
  in.lane = Lane::kBulk;
  in.chunk = ChunkState::kFirst;
  in.chunk_total_bytes = 0xfedcba9876543210;
  in.sequence = 0xffffffffffffffff;
  in.received_through = 0x8000000000000001;
  in.consumed_through = 0x7f00000000000002;
  const std::string frame = MakeFrame(in, "abc");
  FrameHeader out;
  absl::string_view body;
  ASSERT_EQ(DecodeFrame(frame, &out, &body), FrameError::kNone);
  EXPECT_EQ(out.version, 2);
  EXPECT_EQ(body, "abc");
  EXPECT_EQ(body.data(), frame.data() + kFrameHeaderBytes);
  EXPECT_EQ(out.kind, in.kind);
  EXPECT_EQ(out.flags, in.flags);
  EXPECT_EQ(out.codec, in.codec);
  EXPECT_EQ(out.body_crc, in.body_crc);
  EXPECT_EQ(out.body_bytes, in.body_bytes);
  EXPECT_EQ(out.records, in.records);
  EXPECT_EQ(out.sender_id, in.sender_id);
  EXPECT_EQ(out.destination_id, in.destination_id);
  EXPECT_EQ(out.session, in.session);
  EXPECT_EQ(out.sequence, in.sequence);
  EXPECT_EQ(out.received_through, in.received_through);
  EXPECT_EQ(out.consumed_through, in.consumed_through);
  EXPECT_EQ(out.lane, in.lane);
  EXPECT_EQ(out.chunk, in.chunk);
  EXPECT_EQ(out.chunk_total_bytes, in.chunk_total_bytes);
}

TEST(FrameHeaderTest, DecodesInTwoPiecesThatAreCutBehindTheHeader) {
  const std::string frame = MakeFrame(DataHeader("abc"), "abc");
  const absl::string_view all = frame;
  const auto decode = [&](std::size_t cut) {
    FrameHeader header;
    return DecodeFrame(all.substr(0, cut), all.substr(cut), &header);
  };
  EXPECT_EQ(decode(kFrameHeaderBytes), FrameError::kNone);
  EXPECT_EQ(decode(kFrameHeaderBytes - 1), FrameError::kTruncated);
  EXPECT_EQ(decode(kFrameHeaderBytes + 1), FrameError::kOverlong);
  EXPECT_EQ(decode(0), FrameError::kTruncated);
}

TEST(FrameHeaderTest, EveryKindDecodesWithoutABody) {
  for (const FrameKind kind : {FrameKind::kHello, FrameKind::kControl,
                               FrameKind::kGoodbye, FrameKind::kRefusal}) {
    FrameHeader header;
    header.kind = kind;
    EXPECT_EQ(Decode(MakeFrame(header, "")), FrameError::kNone);
  }
}

TEST(FrameHeaderTest, TruncationAtEveryByteIsSeen) {
  const std::string frame = MakeFrame(DataHeader("abc"), "abc");
  for (std::size_t size = 0; size < frame.size(); ++size) {
    // A copy of just that size, so that a sanitizer sees a read beyond it.
    const std::string cut = frame.substr(0, size);
    EXPECT_EQ(Decode(cut), FrameError::kTruncated) << size << " bytes";
  }
  EXPECT_EQ(Decode(frame + "x"), FrameError::kOverlong);
}

TEST(FrameHeaderTest, EveryFlippedBitIsSeen) {
  const std::string frame = MakeFrame(DataHeader("abc"), "abc");
  ASSERT_EQ(Decode(frame), FrameError::kNone);
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string flipped = frame;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const FrameError error = Decode(flipped);
    if (bit / 8 < 4) {
      EXPECT_EQ(error, FrameError::kMagic) << "bit " << bit;
    } else if (bit / 8 < kFrameHeaderBytes) {
      EXPECT_EQ(error, FrameError::kHeaderCrc) << "bit " << bit;
    } else {
      EXPECT_EQ(error, FrameError::kBodyCrc) << "bit " << bit;
    }
  }
}

TEST(FrameHeaderTest, UnknownValuesAreRefused) {
  const std::string frame = MakeFrame(DataHeader("abc"), "abc");
  EXPECT_EQ(DecodeWithByte(frame, 0, 'X'), FrameError::kMagic);
  EXPECT_EQ(DecodeWithByte(frame, 5, 0), FrameError::kField);
  EXPECT_EQ(DecodeWithByte(frame, 5, 6), FrameError::kField);
  for (const int flag : {32, 64, 128}) {
    EXPECT_EQ(DecodeWithByte(frame, 6, flag), FrameError::kField) << flag;
  }
  EXPECT_EQ(DecodeWithByte(frame, 16, 2), FrameError::kOverlong);
  EXPECT_EQ(DecodeWithByte(frame, 16, 4), FrameError::kTruncated);
  EXPECT_EQ(DecodeWithByte(frame, 27, 0x80), FrameError::kField) << "sender";
  EXPECT_EQ(DecodeWithByte(frame, 31, 0x80), FrameError::kField)
      << "destination";
  EXPECT_EQ(DecodeWithByte(frame, 64, 3), FrameError::kField) << "lane";
  EXPECT_EQ(DecodeWithByte(frame, 65, 4), FrameError::kField) << "chunk";
  for (int at = 66; at < 68; ++at) {
    EXPECT_EQ(DecodeWithByte(frame, at, 1), FrameError::kField) << at;
  }
}

TEST(FrameHeaderTest, DataAndControlOfOtherVersionsAreRefused) {
  FrameHeader control;
  control.sender_id = 7;
  for (const std::string& frame :
       {MakeFrame(DataHeader("abc"), "abc"), MakeFrame(control, "")}) {
    for (const int version : {0, 1, 3, 255})
      EXPECT_EQ(DecodeWithByte(frame, 4, version), FrameError::kVersion);
  }
}

// A frame of version 1 has its ids where they are now, so its sender can be
// refused.
TEST(FrameHeaderTest, AFrameOfVersion1TellsWhoseItIs) {
  FrameHeader header = DataHeader("abc");
  header.version = 1;
  header.kind = FrameKind::kHello;
  header.sender_id = 7;
  FrameHeader out;
  absl::string_view body;
  ASSERT_EQ(DecodeFrame(MakeFrame(header, "abc"), &out, &body),
            FrameError::kVersion);
  EXPECT_EQ(out.version, 1);
  EXPECT_EQ(out.sender_id, 7u);
  EXPECT_EQ(out.destination_id, header.destination_id);
  header.sender_id = 0x80000000;
  EXPECT_EQ(Decode(MakeFrame(header, "abc")), FrameError::kField);
}

// A later version may put anything where this one has nothing to say.
TEST(FrameHeaderTest, WhatLastsIsReadInEveryVersion) {
  for (const FrameKind kind :
       {FrameKind::kHello, FrameKind::kGoodbye, FrameKind::kRefusal}) {
    for (const std::uint8_t version : {2, 3, 255}) {
      FrameHeader in = DataHeader("abc");
      in.version = version;
      in.kind = kind;
      in.flags = 0xff;
      in.lane = static_cast<Lane>(77);
      in.chunk = static_cast<ChunkState>(88);
      in.stamp = 12;
      in.chunk_total_bytes = 99;
      const std::string frame = MakeFrame(in, "abc");
      FrameHeader out;
      absl::string_view body;
      ASSERT_EQ(DecodeFrame(frame, &out, &body), FrameError::kNone);
      EXPECT_EQ(body, "abc");
      EXPECT_EQ(out.version, version);
      EXPECT_EQ(out.kind, kind);
      EXPECT_EQ(out.sender_id, in.sender_id);
      EXPECT_EQ(out.destination_id, in.destination_id);
      EXPECT_EQ(out.session, in.session);
      EXPECT_EQ(out.received_through, in.received_through);
      EXPECT_EQ(out.consumed_through, in.consumed_through);
      EXPECT_EQ(out.stamp, in.stamp);
      EXPECT_EQ(out.flags, 0);
      EXPECT_EQ(out.codec, 0);
      EXPECT_EQ(out.records, 0u);
      EXPECT_EQ(out.sequence, 0u);
      EXPECT_EQ(out.lane, Lane::kNormal);
      EXPECT_EQ(out.chunk, ChunkState::kWhole);
      EXPECT_EQ(out.chunk_total_bytes, 0u);
      EXPECT_EQ(DecodeWithByte(frame, 66, 1), FrameError::kNone);
      EXPECT_EQ(DecodeWithByte(frame, 27, 0x80), FrameError::kField);
      EXPECT_EQ(DecodeWithByte(frame, 4, 1), FrameError::kVersion);
    }
  }
}

// A value beyond the known ones reaches nobody, in any frame.
TEST(FrameHeaderTest, NoByteBecomesAnUnknownEnumerator) {
  for (const FrameKind kind : {FrameKind::kData, FrameKind::kControl}) {
    FrameHeader header;
    if (kind == FrameKind::kData) header = DataHeader("abc");
    const std::string frame =
        MakeFrame(header, kind == FrameKind::kData ? "abc" : "");
    ASSERT_EQ(Decode(frame), FrameError::kNone);
    for (int value = 0; value < 256; ++value) {
      if (value == 0 || value > 5) {
        EXPECT_EQ(DecodeWithByte(frame, 5, value), FrameError::kField);
      }
      if (value >= kLanes) {
        EXPECT_EQ(DecodeWithByte(frame, 64, value), FrameError::kField);
      }
      if (value > 3) {
        EXPECT_EQ(DecodeWithByte(frame, 65, value), FrameError::kField);
      }
    }
  }
}

struct BrokenRule {
  const char* name;
  FrameKind kind;
  std::function<void(FrameHeader*)> edit;
};

TEST(FrameHeaderTest, ImpossibleCombinationsAreRefused) {
  const auto data = FrameKind::kData;
  const auto control = FrameKind::kControl;
  const BrokenRule rules[] = {
      {"data needs a codec", data, [](FrameHeader* h) { h->codec = 0; }},
      {"data needs a sequence", data, [](FrameHeader* h) { h->sequence = 0; }},
      {"records need bytes", data, [](FrameHeader* h) { h->records = 4; }},
      {"whole, yet a total", data,
       [](FrameHeader* h) { h->chunk_total_bytes = 9; }},
      {"first chunk of two records", data,
       [](FrameHeader* h) {
         h->chunk = ChunkState::kFirst;
         h->chunk_total_bytes = 9;
       }},
      {"a record begins in a last chunk", data,
       [](FrameHeader* h) {
         h->chunk = ChunkState::kLast;
         h->records = 1;
         h->chunk_total_bytes = 9;
       }},
      {"chunk larger than its record", data,
       [](FrameHeader* h) {
         h->chunk = ChunkState::kMiddle;
         h->records = 0;
         h->chunk_total_bytes = 2;
       }},
      {"control has no codec", control, [](FrameHeader* h) { h->codec = 1; }},
      {"control has no records", control,
       [](FrameHeader* h) { h->records = 1; }},
      {"control has no chunks", control,
       [](FrameHeader* h) { h->chunk = ChunkState::kMiddle; }},
      {"control has no total", control,
       [](FrameHeader* h) { h->chunk_total_bytes = 1; }},
  };
  for (const BrokenRule& rule : rules) {
    FrameHeader header = DataHeader("abc");
    if (rule.kind != data) {
      header.kind = rule.kind;
      header.codec = 0;
      header.sequence = 0;
      header.records = 0;
    }
    EXPECT_EQ(Decode(MakeFrame(header, "abc")), FrameError::kNone);
    rule.edit(&header);
    EXPECT_EQ(Decode(MakeFrame(header, "abc")), FrameError::kField)
        << rule.name;
  }
}

}  // namespace
}  // namespace cluster::internal
