// Integers in little-endian byte order, at any alignment.
//
// What it is: load and store for unsigned integers, in byte shifts that
// compilers fold into one move on a little-endian machine. What it is not: a
// reader with bounds; the caller has checked that the bytes are there.
//
// Threads: pure functions. Errors: none.
//
//   StoreLittle<std::uint32_t>(out + 12, body_crc);
//   const auto sequence = LoadLittle<std::uint64_t>(frame.data() + 40);

#ifndef CODEC_LITTLE_ENDIAN_H_
#define CODEC_LITTLE_ENDIAN_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace cluster {

template <typename Unsigned>
inline Unsigned LoadLittle(const char* bytes) {
  static_assert(std::is_unsigned<Unsigned>::value, "unsigned integers only");
  unsigned char raw[sizeof(Unsigned)];
  std::memcpy(raw, bytes, sizeof(raw));
  Unsigned value = 0;
  for (std::size_t i = 0; i < sizeof(raw); ++i) {
    value =
        static_cast<Unsigned>(value | static_cast<Unsigned>(raw[i]) << (8 * i));
  }
  return value;
}

template <typename Unsigned>
inline void StoreLittle(char* bytes, Unsigned value) {
  static_assert(std::is_unsigned<Unsigned>::value, "unsigned integers only");
  unsigned char raw[sizeof(Unsigned)];
  for (std::size_t i = 0; i < sizeof(raw); ++i) {
    raw[i] = static_cast<unsigned char>(value >> (8 * i));
  }
  std::memcpy(bytes, raw, sizeof(raw));
}

}  // namespace cluster

#endif  // CODEC_LITTLE_ENDIAN_H_
