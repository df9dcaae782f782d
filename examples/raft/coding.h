// Coding: numbers and strings as bytes, for payloads and for the disk.
//
// A number takes eight bytes, the lowest first; a string its length and its
// bytes. Take removes from the front of `bytes` and returns false if they are too
// few. Pure functions.
//
//   std::string payload;
//   Put(last_log_index, &payload);
//   if (!Take(&bytes, &last_log_index)) return false;

#ifndef EXAMPLES_RAFT_CODING_H_
#define EXAMPLES_RAFT_CODING_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace raft {

inline constexpr std::size_t kNumberBytes = 8;

inline void Put(std::uint64_t value, std::string* bytes) {
  for (std::size_t i = 0; i < kNumberBytes; ++i)
    bytes->push_back(static_cast<char>(value >> (8 * i)));
}

inline void PutString(absl::string_view text, std::string* bytes) {
  Put(text.size(), bytes);
  bytes->append(text.data(), text.size());
}

[[nodiscard]] inline bool Take(absl::string_view* bytes, std::uint64_t* value) {
  if (bytes->size() < kNumberBytes) return false;
  *value = 0;
  for (std::size_t i = 0; i < kNumberBytes; ++i) {
    const auto byte = static_cast<unsigned char>((*bytes)[i]);
    *value |= static_cast<std::uint64_t>(byte) << (8 * i);
  }
  bytes->remove_prefix(kNumberBytes);
  return true;
}

[[nodiscard]] inline bool TakeString(absl::string_view* bytes,
                                     std::string* text) {
  std::uint64_t size = 0;
  if (!Take(bytes, &size) || size > bytes->size()) return false;
  text->assign(bytes->data(), size);
  bytes->remove_prefix(size);
  return true;
}

}  // namespace raft

#endif  // EXAMPLES_RAFT_CODING_H_
