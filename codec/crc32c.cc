#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "cluster/codec/frame_header.h"
#include "isa-l/crc.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cluster {
namespace {

// From this size on ISA-L's routine uses vector registers.
constexpr std::size_t kVectorBytesMin = 256;

// The routine leaves the upper halves of the vector registers in use. Until they
// are cleared, the processor preserves them in every SSE instruction, which costs
// some 150 ns for each frame.
#if defined(__x86_64__)
__attribute__((target("avx"))) void ClearUpperHalves() { _mm256_zeroupper(); }
void AfterVectors() {
  if (__builtin_cpu_supports("avx")) ClearUpperHalves();
}
#else
void AfterVectors() {}
#endif

}  // namespace

std::uint32_t Crc32c(absl::string_view bytes) { return Crc32cExtend(0, bytes); }

std::uint32_t Crc32cExtend(std::uint32_t crc, absl::string_view bytes) {
  // The library's length is an int, so what is larger goes in pieces.
  constexpr std::size_t kPieceBytes = std::size_t{1} << 30;
  // It takes the buffer as non-const and only reads it.
  auto* data =
      reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
  std::size_t left = bytes.size();
  std::uint32_t state = ~crc;
  while (left > 0) {
    const std::size_t piece = std::min(left, kPieceBytes);
    state = crc32_iscsi(data, static_cast<int>(piece), state);
    data += piece;
    left -= piece;
  }
  if (bytes.size() >= kVectorBytesMin) AfterVectors();
  return ~state;
}

}  // namespace cluster
