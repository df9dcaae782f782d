// What the JSON form of a payload depends on: is it UTF-8, and how long is it
// once escaped.
//
// Threads: pure functions. Errors: none.
//
//   const char* key = IsUtf8(payload) ? "Payload" : "PayloadBase64";

#ifndef CLUSTER_CODEC_JSON_TEXT_H_
#define CLUSTER_CODEC_JSON_TEXT_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace cluster {

// How many bytes at the front of `text` are whole UTF-8 characters; all of them
// if it is UTF-8. Surrogates and overlong forms are not.
std::size_t Utf8Bytes(absl::string_view text);
inline bool IsUtf8(absl::string_view text) {
  return Utf8Bytes(text) == text.size();
}

// The bytes of a JSON string of `text`, without its quotes, as RapidJSON writes
// it: two for a quote, a backslash and what has a letter ("\\n"), six for any other
// control character.
std::size_t EscapedBytes(absl::string_view text);

// The bytes of the base64 form of so many bytes, padding included.
inline std::size_t Base64Bytes(std::size_t bytes) {
  return (bytes / 3 + (bytes % 3 != 0 ? 1 : 0)) * 4;
}

}  // namespace cluster

#endif  // CLUSTER_CODEC_JSON_TEXT_H_
