#include "cluster/codec/json/text.h"

#include <cstdint>
#include <cstring>

#include "rapidjson/encodings.h"
#include "rapidjson/memorystream.h"

namespace cluster::internal {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kTopBits = 0x8080808080808080;

std::uint64_t LoadWord(const char* in) {
  std::uint64_t word;
  std::memcpy(&word, in, sizeof(word));
  return word;
}

// Whether a byte of the word is zero. Never wrong about the word as a whole.
bool HasZero(std::uint64_t word) {
  return ((word - kOnes) & ~word & kTopBits) != 0;
}

bool HasEscape(std::uint64_t word) {
  constexpr std::uint64_t kControl = kOnes * 0x20;
  const bool control = ((word - kControl) & ~word & kTopBits) != 0;
  return control || HasZero(word ^ (kOnes * '"')) ||
         HasZero(word ^ (kOnes * '\\'));
}

std::size_t EscapedBytesOf(char c) {
  switch (c) {
    case '"':
    case '\\':
    case '\b':
    case '\f':
    case '\n':
    case '\r':
    case '\t':
      return 2;
    default:
      return static_cast<unsigned char>(c) < 0x20 ? 6 : 1;
  }
}

// For a validator that copies what it reads.
struct NoStream {
  void Put(char) {}
};

}  // namespace

std::size_t Utf8Bytes(absl::string_view text) {
  rapidjson::MemoryStream stream(text.data(), text.size());
  NoStream nowhere;
  while (stream.src_ != stream.end_) {
    const auto left = static_cast<std::size_t>(stream.end_ - stream.src_);
    if (left >= sizeof(std::uint64_t) &&
        (LoadWord(stream.src_) & kTopBits) == 0) {
      stream.src_ += sizeof(std::uint64_t);
      continue;
    }
    const std::size_t at = stream.Tell();
    // At the end the stream answers zeros, which complete no character.
    if (!rapidjson::UTF8<>::Validate(stream, nowhere)) return at;
  }
  return text.size();
}

std::size_t EscapedBytes(absl::string_view text) {
  const char* in = text.data();
  const char* const end = in + text.size();
  std::size_t bytes = 0;
  while (in != end) {
    if (end - in >= 8 && !HasEscape(LoadWord(in))) {
      in += 8;
      bytes += 8;
      continue;
    }
    const char* const stop = end - in >= 8 ? in + 8 : end;
    for (; in != stop; ++in) bytes += EscapedBytesOf(*in);
  }
  return bytes;
}

}  // namespace cluster::internal
