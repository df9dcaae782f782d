// Whether a payload is UTF-8, and how long it is once escaped or in base64.
//
//   const char* key = IsUtf8(payload) ? "Payload" : "PayloadBase64";

#ifndef CLUSTER_CODEC_JSON_TEXT_H_
#define CLUSTER_CODEC_JSON_TEXT_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace cluster::internal {

// How many bytes at the front of `text` are whole UTF-8 characters. Surrogates
// and overlong forms are not UTF-8.
std::size_t Utf8Bytes(absl::string_view text);
inline bool IsUtf8(absl::string_view text) {
  return Utf8Bytes(text) == text.size();
}

// The bytes of a JSON string of `text`, without its quotes, as RapidJSON writes
// it. A quote, a backslash and a control character with a letter ("\\n") take
// two bytes, any other control character six.
std::size_t EscapedBytes(absl::string_view text);

// The bytes of the base64 form of so many bytes, padding included.
inline std::size_t Base64Bytes(std::size_t bytes) {
  return (bytes / 3 + (bytes % 3 != 0 ? 1 : 0)) * 4;
}

}  // namespace cluster::internal

#endif  // CLUSTER_CODEC_JSON_TEXT_H_
