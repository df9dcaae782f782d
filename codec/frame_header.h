// The header of every frame of the reliable delivery, whatever the codec of its
// body. docs/wire-format.md has an example of each kind.
//
// Wire form. Integers are little-endian; 80 bytes, then `body_bytes` of body.
//
// clang-format off
//   offset bytes field
//        0     4 magic             43 4c 46 31 ("CLF1")
//        4     1 version           of a data or control frame: its session's;
//                                  of another: the highest that its sender
//                                  speaks
//        5     1 kind              1 hello, 2 data, 3 control, 4 goodbye,
//                                  5 refusal
//        6     1 flags             see FrameFlag; unknown bits are refused
//        7     1 codec             of the body of a data frame; else 0
//        8     4 header_crc        CRC-32C of bytes 0..79, this field as zero
//       12     4 body_crc          CRC-32C of the body
//       16     4 body_bytes        exactly what follows the header
//       20     4 records           envelopes that begin in this data frame
//       24     4 sender_id         0..kServerIdMax
//       28     4 destination_id    0..kServerIdMax
//       32     8 session           0 in a hello before there is one
//       40     8 sequence          of a data frame, from 1 in each session; in
//                                  a control frame of the last data frame
//                                  before it, 0 if there was none; else 0
//       48     8 received_through  every data frame up to this one has arrived
//       56     8 consumed_through  every data frame up to this one has been
//                                  taken by the application
//       64     1 lane              0 urgent, 1 normal, 2 bulk
//       65     1 chunk             0 whole records, 1 first, 2 middle, 3 last
//                                  part of one record
//       66     2 zero              reserved
//       68     4 stamp             one more in each frame that the sender
//                                  makes in a session, sent again or not,
//                                  modulo 2^32: tells fresh from old;
//                                  0 in a hello
//       72     8 chunk_total_bytes of the record that is cut into chunks;
//                                  0 for whole records
// clang-format on
//
// In a data frame `records` is 1 for a first chunk, 0 for a middle or last one
// and at most body_bytes otherwise. In a control frame records, chunk and
// chunk_total_bytes are 0. A frame that breaks one of these rules is refused
// (kField).
//
// Hello, refusal and goodbye keep their form in every version from 2 on. These
// fields of their headers stay where they are: magic, version, kind, the
// checksums, body_bytes, the ids, session, received_through, consumed_through
// and stamp. All others are sent as 0 and ignored. Their bodies are in hello.h.
//
// Decoding takes any bytes and says which field is wrong.

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
  std::uint8_t codec = 0;
  std::uint32_t body_crc = 0;
  std::uint32_t body_bytes = 0;
  std::uint32_t records = 0;
  std::uint32_t sender_id = 0;
  std::uint32_t destination_id = 0;
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;
  std::uint64_t received_through = 0;
  std::uint64_t consumed_through = 0;
  Lane lane = Lane::kNormal;
  ChunkState chunk = ChunkState::kWhole;
  std::uint32_t stamp = 0;
  std::uint64_t chunk_total_bytes = 0;
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
// "truncated", "bad magic", ... for counters and error texts.
absl::string_view FrameErrorName(FrameError error);

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
