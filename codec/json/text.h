// What the JSON form of a payload depends on: is it UTF-8, and how long is it
// once escaped.
//
// Threads: pure functions. Errors: none.
//
//   const char* key = IsUtf8(payload) ? "Payload" : "PayloadBase64";

#ifndef CODEC_JSON_TEXT_H_
#define CODEC_JSON_TEXT_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace cluster {

// By the same table that the JSON reader checks with, so what is written as
// text is read back.
bool IsUtf8(absl::string_view text);

// The bytes of a JSON string of `text`, without its quotes, as RapidJSON writes
// it: two for a quote or a backslash, at most six for a control character.
std::size_t EscapedBytesMax(absl::string_view text);

// The bytes of the base64 form of so many bytes, padding included.
inline std::size_t Base64Bytes(std::size_t bytes) {
  return (bytes / 3 + (bytes % 3 != 0 ? 1 : 0)) * 4;
}

}  // namespace cluster

#endif  // CODEC_JSON_TEXT_H_
