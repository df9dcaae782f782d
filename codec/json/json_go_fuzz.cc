// See codec_fuzz.h for what is checked. Of a message id the dialect writes the
// sequence alone, so the envelope that returns is that of a message of its own.

#include <cstddef>
#include <cstdint>
#include <string>

#include "cluster/codec/json/json.h"
#include "cluster/codec/testing/codec_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t bytes) {
  std::string message(reinterpret_cast<const char*>(data), bytes);
  cluster::DecodeState state;
  if (cluster::GoJsonCodec().DecodeStandalone(message, &state).ok()) {
    std::string own;
    cluster::GoJsonCodec().EncodeStandalone(state.envelope, &own);
    message = own;
  }
  cluster::internal::FuzzStandalone(cluster::GoJsonCodec(), message);
  return 0;
}
