// Bytes from hexadecimal text, for tests.
//
// Abseil's HexStringToBytes has another signature in each of the releases that
// the library supports.

#ifndef CLUSTER_CODEC_TESTING_HEX_H_
#define CLUSTER_CODEC_TESTING_HEX_H_

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace cluster::internal {

// "6869" is "hi". The text has to be pairs of hexadecimal digits.
inline std::string FromHex(absl::string_view hex) {
  std::string escaped;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    escaped += "\\x";
    escaped.append(hex.data() + i, 2);
  }
  std::string bytes;
  absl::CUnescape(escaped, &bytes);
  return bytes;
}

}  // namespace cluster::internal

#endif  // CLUSTER_CODEC_TESTING_HEX_H_
