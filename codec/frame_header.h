// The header of every frame of the reliable delivery, whatever the codec of its
// body. docs/wire-format.md has its bytes and the rules for its fields.
//
// Decoding takes any bytes and says what is wrong. Of a hello, goodbye or
// refusal it sets only the fields that last: version, kind, body_crc, body_bytes,
// the ids, session, received_through, consumed_through and stamp. The bodies of
// these are in hello.h.
//
//   EncodeFrameHeader(header, out);
//   FrameError error = DecodeFrame(frame, &header, &body);

#ifndef CLUSTER_CODEC_FRAME_HEADER_H_
#define CLUSTER_CODEC_FRAME_HEADER_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "cluster/envelope.h"

namespace cluster {

inline constexpr std::size_t kFrameHeaderBytes = 80;

// The versions of data and control frames that this library speaks.
inline constexpr std::uint8_t kFrameVersionMin = 2;
inline constexpr std::uint8_t kFrameVersionMax = 2;

enum class FrameKind : std::uint8_t {
  kHello = 1,
  kData = 2,
  kControl = 3,
  kGoodbye = 4,
  kRefusal = 5,
};

// Whether frames of this kind have the same form in every version.
inline bool IsLasting(FrameKind kind) {
  return kind == FrameKind::kHello || kind == FrameKind::kGoodbye ||
         kind == FrameKind::kRefusal;
}

// Bits of FrameHeader::flags.
enum FrameFlag : std::uint8_t {
  kAckRequest = 1,  // please acknowledge as soon as the input is drained
  kGap = 2,         // a frame was skipped: please resend after received_through
  kHearsYou = 4,    // frames of the addressee arrive here
  // please acknowledge as soon as all frames up to this one's sequence are
  // consumed
  kConsumeRequest = 8,
  // the sender's application stands still; only in sessions that have
  // kFeatureStandstill
  kStandsStill = 16,
};

enum class ChunkState : std::uint8_t {
  kWhole = 0,
  kFirst = 1,
  kMiddle = 2,
  kLast = 3
};

struct FrameHeader {
  std::uint8_t version = kFrameVersionMax;
  FrameKind kind = FrameKind::kControl;
  std::uint8_t flags = 0;
  std::uint8_t codec = 0;  // of the body of a data frame
  std::uint32_t body_crc = 0;
  std::uint32_t body_bytes = 0;
  std::uint32_t records = 0;  // envelopes that begin in this data frame
  std::uint32_t sender_id = 0;
  std::uint32_t destination_id = 0;
  std::uint64_t session = 0;
  // Of a data frame, from 1; in a control frame of the last one before it.
  std::uint64_t sequence = 0;
  std::uint64_t received_through = 0;
  std::uint64_t consumed_through = 0;
  Lane lane = Lane::kNormal;
  ChunkState chunk = ChunkState::kWhole;
  // One more in each frame that the sender makes in a session, sent again or not:
  // tells fresh from old.
  std::uint32_t stamp = 0;
  std::uint64_t chunk_total_bytes = 0;  // of the record that is cut
};

enum class FrameError {
  kNone,
  kTruncated,  // shorter than a header, or than its body_bytes say
  kOverlong,   // longer than its body_bytes say
  kMagic,
  kVersion,  // no version that this library speaks
  kHeaderCrc,
  kBodyCrc,
  kField,  // an unknown kind, flag, lane or chunk state, or an impossible
           // combination
};

// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`; "123456789" has
// e3069283.
std::uint32_t Crc32c(absl::string_view bytes);
// The sum of a concatenation: Crc32cExtend(Crc32c(a), b) == Crc32c(a + b).
std::uint32_t Crc32cExtend(std::uint32_t crc, absl::string_view bytes);

// Writes the 80 bytes at `out` and computes header_crc. The caller supplies
// body_crc, so that a body which is shared or sent again is summed once.
void EncodeFrameHeader(const FrameHeader& header, char* out);

// Keeps a body's sum in the room for its header, where EncodeFrameHeader puts
// the same value.
void StoreBodyCrc(std::uint32_t body_crc, char* header);
std::uint32_t LoadBodyCrc(const char* header);

// Reads and checks header and body of one whole frame. On success `body` holds
// the bytes behind the header. After kVersion only the header's version and ids
// are set.
FrameError DecodeFrame(absl::string_view frame, FrameHeader* header,
                       absl::string_view* body);
// The same of a frame in two pieces: exactly the header, and the body.
FrameError DecodeFrame(absl::string_view header_bytes, absl::string_view body,
                       FrameHeader* header);

}  // namespace cluster

#endif  // CLUSTER_CODEC_FRAME_HEADER_H_
