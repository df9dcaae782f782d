#include "cluster/codec/frame_header.h"

#include <algorithm>
#include <cstring>

#include "cluster/codec/little_endian.h"

namespace cluster {
namespace {

constexpr char kMagic[4] = {'C', 'L', 'F', '1'};
constexpr std::uint8_t kLastingVersionMin = 2;  // of the forms that last
constexpr std::uint8_t kFlagsKnown =
    kAckRequest | kGap | kHearsYou | kConsumeRequest | kStandsStill;

// Offsets of the wire form.
constexpr std::size_t kAtVersion = 4;
constexpr std::size_t kAtKind = 5;
constexpr std::size_t kAtFlags = 6;
constexpr std::size_t kAtCodec = 7;
constexpr std::size_t kAtHeaderCrc = 8;
constexpr std::size_t kAtBodyCrc = 12;
constexpr std::size_t kAtBodyBytes = 16;
constexpr std::size_t kAtRecords = 20;
constexpr std::size_t kAtSenderId = 24;
constexpr std::size_t kAtDestinationId = 28;
constexpr std::size_t kAtSession = 32;
constexpr std::size_t kAtSequence = 40;
constexpr std::size_t kAtReceivedThrough = 48;
constexpr std::size_t kAtConsumedThrough = 56;
constexpr std::size_t kAtLane = 64;
constexpr std::size_t kAtChunk = 65;
constexpr std::size_t kAtStamp = 68;
constexpr std::size_t kAtChunkTotalBytes = 72;

// `header` has kFrameHeaderBytes.
std::uint32_t HeaderCrc(const char* header) {
  char copy[kFrameHeaderBytes];
  std::memcpy(copy, header, kFrameHeaderBytes);
  StoreLittle<std::uint32_t>(copy + kAtHeaderCrc, 0);
  return Crc32c(absl::string_view(copy, kFrameHeaderBytes));
}

// Four bytes, and two halves of a word, lowest first.
template <typename A, typename B>
std::uint32_t Bytes(A a, B b, std::uint8_t c, std::uint8_t d) {
  return static_cast<std::uint32_t>(static_cast<std::uint8_t>(a)) |
         static_cast<std::uint32_t>(static_cast<std::uint8_t>(b)) << 8 |
         static_cast<std::uint32_t>(c) << 16 |
         static_cast<std::uint32_t>(d) << 24;
}
std::uint64_t Word(std::uint32_t low, std::uint32_t high) {
  return low | static_cast<std::uint64_t>(high) << 32;
}

void LoadFields(const char* in, FrameHeader* header) {
  header->version = static_cast<std::uint8_t>(in[kAtVersion]);
  header->kind = static_cast<FrameKind>(in[kAtKind]);
  header->flags = static_cast<std::uint8_t>(in[kAtFlags]);
  header->codec = static_cast<std::uint8_t>(in[kAtCodec]);
  header->body_crc = LoadLittle<std::uint32_t>(in + kAtBodyCrc);
  header->body_bytes = LoadLittle<std::uint32_t>(in + kAtBodyBytes);
  header->records = LoadLittle<std::uint32_t>(in + kAtRecords);
  header->sender_id = LoadLittle<std::uint32_t>(in + kAtSenderId);
  header->destination_id = LoadLittle<std::uint32_t>(in + kAtDestinationId);
  header->session = LoadLittle<std::uint64_t>(in + kAtSession);
  header->sequence = LoadLittle<std::uint64_t>(in + kAtSequence);
  header->received_through = LoadLittle<std::uint64_t>(in + kAtReceivedThrough);
  header->consumed_through = LoadLittle<std::uint64_t>(in + kAtConsumedThrough);
  header->lane = static_cast<Lane>(in[kAtLane]);
  header->chunk = static_cast<ChunkState>(in[kAtChunk]);
  header->stamp = LoadLittle<std::uint32_t>(in + kAtStamp);
  header->chunk_total_bytes =
      LoadLittle<std::uint64_t>(in + kAtChunkTotalBytes);
}

// Clears the fields of a hello, refusal or goodbye that have no meaning in every
// version. A later version may give them one.
void ForgetWhatDoesNotLast(FrameHeader* header) {
  header->flags = 0;
  header->codec = 0;
  header->records = 0;
  header->sequence = 0;
  header->lane = Lane::kNormal;
  header->chunk = ChunkState::kWhole;
  header->chunk_total_bytes = 0;
}

// The rules for a data frame's fields, and for those of the others.
bool DataFieldsValid(const FrameHeader& header) {
  if (header.codec == 0 || header.sequence == 0) return false;
  switch (header.chunk) {
    case ChunkState::kWhole:
      // A record has at least one byte.
      return header.chunk_total_bytes == 0 &&
             header.records <= header.body_bytes;
    case ChunkState::kFirst:
      return header.records == 1 &&
             header.chunk_total_bytes >= header.body_bytes;
    case ChunkState::kMiddle:
    case ChunkState::kLast:
      return header.records == 0 &&
             header.chunk_total_bytes >= header.body_bytes;
  }
  return false;
}

bool ControlFieldsValid(const FrameHeader& header) {
  return header.codec == 0 && header.records == 0 &&
         header.chunk == ChunkState::kWhole && header.chunk_total_bytes == 0;
}

bool IdsValid(const FrameHeader& header) {
  return ((header.sender_id | header.destination_id) & ~0x7fffffffu) == 0;
}

// Of a data or control frame.
bool FieldsValid(const char* in, const FrameHeader& header) {
  // Lane, chunk and the two zero bytes are one word of the wire.
  const auto word = LoadLittle<std::uint32_t>(in + kAtLane);
  if ((word >> 16) != 0 || (word & 0xff) >= kLanes) return false;
  if ((header.flags & ~kFlagsKnown) != 0) return false;
  switch (header.kind) {
    case FrameKind::kData:
      return DataFieldsValid(header);
    case FrameKind::kControl:
      return ControlFieldsValid(header);
    default:
      return false;
  }
}

// Version, kind and fields, of a header whose checksum is right.
FrameError LoadHeader(const char* in, FrameHeader* header) {
  LoadFields(in, header);
  if (!IdsValid(*header)) return FrameError::kField;
  if (header->version < kLastingVersionMin) return FrameError::kVersion;
  if (IsLasting(header->kind)) {
    ForgetWhatDoesNotLast(header);
    return FrameError::kNone;
  }
  if (header->version < kFrameVersionMin || header->version > kFrameVersionMax)
    return FrameError::kVersion;
  return FieldsValid(in, *header) ? FrameError::kNone : FrameError::kField;
}

}  // namespace

void EncodeFrameHeader(const FrameHeader& header, char* out) {
  // In whole words, as the checksum reads them. A word that was just written in
  // parts has to reach the cache before it can be read.
  const std::uint32_t traits =
      Bytes(header.version, header.kind, header.flags, header.codec);
  StoreLittle(out, Word(LoadLittle<std::uint32_t>(kMagic), traits));
  StoreLittle(out + kAtHeaderCrc, Word(0, header.body_crc));
  StoreLittle(out + kAtBodyBytes, Word(header.body_bytes, header.records));
  StoreLittle(out + kAtSenderId, Word(header.sender_id, header.destination_id));
  StoreLittle(out + kAtSession, header.session);
  StoreLittle(out + kAtSequence, header.sequence);
  StoreLittle(out + kAtReceivedThrough, header.received_through);
  StoreLittle(out + kAtConsumedThrough, header.consumed_through);
  StoreLittle(out + kAtLane,
              Word(Bytes(header.lane, header.chunk, 0, 0), header.stamp));
  StoreLittle(out + kAtChunkTotalBytes, header.chunk_total_bytes);
  StoreLittle(out + kAtHeaderCrc,
              Crc32c(absl::string_view(out, kFrameHeaderBytes)));
}

void StoreBodyCrc(std::uint32_t body_crc, char* header) {
  StoreLittle(header + kAtBodyCrc, body_crc);
}

std::uint32_t LoadBodyCrc(const char* header) {
  return LoadLittle<std::uint32_t>(header + kAtBodyCrc);
}

FrameError DecodeFrame(absl::string_view header_bytes, absl::string_view body,
                       FrameHeader* header) {
  if (header_bytes.size() < kFrameHeaderBytes) return FrameError::kTruncated;
  if (header_bytes.size() > kFrameHeaderBytes) return FrameError::kOverlong;
  const char* in = header_bytes.data();
  if (std::memcmp(in, kMagic, sizeof(kMagic)) != 0) return FrameError::kMagic;
  if (LoadLittle<std::uint32_t>(in + kAtHeaderCrc) != HeaderCrc(in)) {
    return FrameError::kHeaderCrc;
  }
  if (const FrameError error = LoadHeader(in, header);
      error != FrameError::kNone) {
    return error;
  }
  if (body.size() < header->body_bytes) return FrameError::kTruncated;
  if (body.size() > header->body_bytes) return FrameError::kOverlong;
  if (Crc32c(body) != header->body_crc) return FrameError::kBodyCrc;
  return FrameError::kNone;
}

FrameError DecodeFrame(absl::string_view frame, FrameHeader* header,
                       absl::string_view* body) {
  const std::size_t cut = std::min(frame.size(), kFrameHeaderBytes);
  const absl::string_view rest = frame.substr(cut);
  const FrameError error = DecodeFrame(frame.substr(0, cut), rest, header);
  if (error == FrameError::kNone) *body = rest;
  return error;
}

}  // namespace cluster
