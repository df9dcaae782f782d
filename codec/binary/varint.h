// Varints of the binary codec: seven bits a byte, the lowest first, in the
// shortest form only.
//
// Threads: pure functions. Errors: reading answers null, and VarintFault then
// says why.
//
//   out = WriteVarint(out, term);                      // at most 10 bytes
//   in = ReadVarint(in, end, &term);
//   if (in == nullptr) ...

#ifndef CODEC_BINARY_VARINT_H_
#define CODEC_BINARY_VARINT_H_

#include <cstddef>
#include <cstdint>

namespace cluster {

inline constexpr std::size_t kVarintBytesMax = 10;

// `out` has room for kVarintBytesMax, or for as many as `value` needs.
inline char* WriteVarint(char* out, std::uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
}

// For a varint of two bytes and more; call ReadVarint.
const char* ReadLongVarint(const char* in, const char* end,
                           std::uint64_t* value);

// The byte behind the varint, or null if the bytes end within it, or if it is
// not the shortest form of a 64-bit value.
inline const char* ReadVarint(const char* in, const char* end,
                              std::uint64_t* value) {
  if (in != end && static_cast<unsigned char>(*in) < 0x80) {
    *value = static_cast<unsigned char>(*in);
    return in + 1;
  }
  return ReadLongVarint(in, end, value);
}

// Why ReadVarint(in, end) answered null.
enum class VarintFault { kTruncated, kOverlong };
VarintFault FaultOfVarint(const char* in, const char* end);

// Small differences of either sign as small numbers: 0, -1, 1, -2, ...
inline std::uint64_t ZigZag(std::uint64_t difference) {
  return (difference << 1) ^ (0 - (difference >> 63));
}
inline std::uint64_t UnZigZag(std::uint64_t coded) {
  return (coded >> 1) ^ (0 - (coded & 1));
}

}  // namespace cluster

#endif  // CODEC_BINARY_VARINT_H_
