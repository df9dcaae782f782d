// Varints of the binary codec: seven bits a byte, lowest first, in the shortest
// form only.
//
// Pure functions. A read that fails has a null end; EndsInVarint says why.
//
//   out = WriteVarint(out, term);                      // at most 10 bytes
//   const VarintRead term = ReadVarint(in, end);
//   if (term.end == nullptr) ...

#ifndef CLUSTER_CODEC_BINARY_VARINT_H_
#define CLUSTER_CODEC_BINARY_VARINT_H_

#include <cstddef>
#include <cstdint>

namespace cluster::internal {

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

// A value, and the byte behind it. `end` is null if the bytes end within the
// varint, or if it is not the shortest form of a 64-bit value. Fits two
// registers.
struct VarintRead {
  const char* end;
  std::uint64_t value;
};

// Reads a varint of at most two bytes. For a longer one `end` is null, as for
// none. Calls nothing.
inline VarintRead ReadShortVarint(const char* in, const char* end) {
  constexpr unsigned kMore = 0x80;
  if (in == end) return {nullptr, 0};
  const unsigned low = static_cast<unsigned char>(in[0]);
  if (low < kMore) return {in + 1, low};
  if (end - in < 2) return {nullptr, 0};
  const unsigned high = static_cast<unsigned char>(in[1]);
  if (high == 0 || high >= kMore) return {nullptr, 0};
  return {in + 2, (low - kMore) | high << 7};
}

// Reads a varint of any length; callers use ReadVarint.
VarintRead ReadLongVarint(const char* in, const char* end);

inline VarintRead ReadVarint(const char* in, const char* end) {
  const VarintRead read = ReadShortVarint(in, end);
  return read.end != nullptr ? read : ReadLongVarint(in, end);
}

// Says why ReadVarint(in, end) found no varint: the bytes end within one, or (if
// false) it is overlong.
bool EndsInVarint(const char* in, const char* end);

// Small differences of either sign as small numbers: 0, -1, 1, -2, ...
inline std::uint64_t ZigZag(std::uint64_t difference) {
  return (difference << 1) ^ (0 - (difference >> 63));
}
inline std::uint64_t UnZigZag(std::uint64_t coded) {
  return (coded >> 1) ^ (0 - (coded & 1));
}

}  // namespace cluster::internal

#endif  // CLUSTER_CODEC_BINARY_VARINT_H_
