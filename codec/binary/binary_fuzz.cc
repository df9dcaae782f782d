// See codec_fuzz.h for what is checked.

#include <cstddef>
#include <cstdint>

#include "cluster/codec/binary/binary.h"
#include "cluster/codec/testing/codec_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t bytes) {
  cluster::internal::FuzzBody(
      cluster::BinaryCodec(),
      absl::string_view(reinterpret_cast<const char*>(data), bytes));
  return 0;
}
