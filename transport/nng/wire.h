// The wire form of the nng backend: what stands on a byte stream.
//
// The side that dialled writes, the other only reads:
//
//   bytes
//     8       preamble   43 4c 4e 53 "CLNS", version 1, then 1 where the link
//             is secured, else 0, and two bytes 0; then for each frame
//     4       length of the frame, little-endian
//     length  the frame
//
// The preamble lets a listener refuse a stranger by its first bytes. Nothing
// is ever written back, so that closing never turns into a reset that takes
// frames with it.
//
// A secured link is the same inside of TLS, and may carry control messages
// (transport/nng/proof_message.h) between frames. Their length has its highest
// bit set and is at most kControlBytesMax. A plaintext link has none: there
// such a length is over the limit.
//
// Threads: functions without state. Errors: none.

#ifndef TRANSPORT_NNG_WIRE_H_
#define TRANSPORT_NNG_WIRE_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace cluster {
namespace nng {

inline constexpr std::size_t kPreambleBytes = 8;
inline constexpr std::size_t kLengthBytes = 4;
inline constexpr std::uint32_t kControlFlag = 1u << 31;
inline constexpr std::size_t kControlBytesMax = 64;

// The first byte of whoever speaks TLS.
inline constexpr char kTlsFirstByte = 0x16;

inline absl::string_view Preamble(bool secured) {
  static constexpr char kPlain[] = {'C', 'L', 'N', 'S', 1, 0, 0, 0};
  static constexpr char kSecured[] = {'C', 'L', 'N', 'S', 1, 1, 0, 0};
  return absl::string_view(secured ? kSecured : kPlain, kPreambleBytes);
}

inline void StoreLength(std::uint32_t length, char* to) {
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    to[i] = static_cast<char>(length >> (8 * i));
  }
}

inline std::uint32_t LoadLength(const char* from) {
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length |= std::uint32_t{static_cast<unsigned char>(from[i])} << (8 * i);
  }
  return length;
}

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_WIRE_H_
