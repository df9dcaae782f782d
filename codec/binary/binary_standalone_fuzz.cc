// See codec_fuzz.h for what is checked.

#include <cstddef>
#include <cstdint>
#include <string>

#include "cluster/codec/binary/binary.h"
#include "cluster/codec/frame_header.h"
#include "cluster/codec/little_endian.h"
#include "cluster/codec/testing/codec_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t bytes) {
  const cluster::Codec& codec = cluster::BinaryCodec();
  std::string message(reinterpret_cast<const char*>(data), bytes);
  cluster::internal::FuzzStandalone(codec, message);
  // The same with a right checksum, which a fuzzer cannot guess.
  if (bytes < 6) return 0;
  const absl::string_view record = absl::string_view(message).substr(6);
  cluster::StoreLittle<std::uint32_t>(&message[2], cluster::Crc32c(record));
  cluster::internal::FuzzStandalone(codec, message);
  return 0;
}
