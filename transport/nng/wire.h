// The wire form of the nng backend: what stands on a byte stream.
//
// The side that dialled writes, the other only reads:
//
//   bytes
//     8     preamble   43 4c 4e 53 "CLNS", then 4 bytes version 1,
//     little-endian; then for each frame
//     4     length of the frame, little-endian
//     length  the frame
//
// The preamble lets a listener refuse a stranger by its first bytes. Nothing
// is ever written back, so that closing never turns into a reset that takes
// frames with it.
//
// Threads: functions without state. Errors: none.

#ifndef TRANSPORT_NNG_WIRE_H_
#define TRANSPORT_NNG_WIRE_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace cluster {
namespace nng {

inline constexpr char kPreambleText[] = {'C', 'L', 'N', 'S', 1, 0, 0, 0};
inline constexpr std::size_t kPreambleBytes = sizeof(kPreambleText);
inline constexpr std::size_t kLengthBytes = 4;

inline absl::string_view Preamble() {
  return absl::string_view(kPreambleText, kPreambleBytes);
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
