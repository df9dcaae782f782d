#include "cluster/codec/binary/varint.h"

#include <algorithm>

namespace cluster::internal {

VarintRead ReadLongVarint(const char* in, const char* end) {
  constexpr VarintRead kNone{nullptr, 0};
  std::uint64_t sum = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (in == end) return kNone;
    const std::uint64_t byte = static_cast<unsigned char>(*in++);
    sum |= (byte & 0x7f) << shift;
    if (byte >= 0x80) continue;
    // A last byte of zero adds nothing; the tenth has room for one bit.
    if (byte == 0 && shift != 0) return kNone;
    if (shift == 63 && byte > 1) return kNone;
    return {in, sum};
  }
  return kNone;
}

bool EndsInVarint(const char* in, const char* end) {
  const auto bytes = static_cast<std::size_t>(end - in);
  const char* last = in + std::min(bytes, kVarintBytesMax);
  while (in != last && static_cast<unsigned char>(*in) >= 0x80) ++in;
  return in == end;
}

}  // namespace cluster::internal
