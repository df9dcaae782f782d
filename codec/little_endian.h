// Loads and stores unsigned integers in little-endian order, at any alignment.
//
// One move each on a little-endian machine. The caller checks that the bytes
// are there.
//
//   StoreLittle<std::uint32_t>(out + 12, body_crc);
//   const auto sequence = LoadLittle<std::uint64_t>(frame.data() + 40);

#ifndef CLUSTER_CODEC_LITTLE_ENDIAN_H_
#define CLUSTER_CODEC_LITTLE_ENDIAN_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace cluster {

// The bytes of `value` in the order of the wire, as an integer of this machine;
// its own inverse.
template <typename Unsigned>
inline Unsigned LittleOrder(Unsigned value) {
  static_assert(std::is_unsigned<Unsigned>::value, "unsigned integers only");
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return value;
#else
  Unsigned swapped = 0;
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
    swapped = static_cast<Unsigned>((swapped << 8) | (value & 0xff));
    value = static_cast<Unsigned>(value >> 8);
  }
  return swapped;
#endif
}

template <typename Unsigned>
inline Unsigned LoadLittle(const char* bytes) {
  Unsigned value;
  std::memcpy(&value, bytes, sizeof(value));
  return LittleOrder(value);
}

template <typename Unsigned>
inline void StoreLittle(char* bytes, Unsigned value) {
  value = LittleOrder(value);
  std::memcpy(bytes, &value, sizeof(value));
}

}  // namespace cluster

#endif  // CLUSTER_CODEC_LITTLE_ENDIAN_H_
