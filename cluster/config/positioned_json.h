// A JSON document as a tree in which every key and value knows its line and
// column. So a reader of configuration can say where something is wrong.
//
// Strict RFC 8259: no comments, no trailing commas, UTF-8 only; with bounds on
// size, depth and count. Duplicate keys are kept, so that the reader can refuse
// them. The tree owns its text. kInvalidArgument: "<origin>:<line>:<column>:
// <what was found and what is allowed>".
//
//   absl::StatusOr<JsonValue> root = ParsePositionedJson(text, "a.json");
//   for (const JsonMember& member : root->members)
//     std::cout << member.line << ": " << MemberPath("$", member.key);

#ifndef CLUSTER_CONFIG_POSITIONED_JSON_H_
#define CLUSTER_CONFIG_POSITIONED_JSON_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster::internal {

enum class JsonType {
  kNull,
  kBool,
  kInt,     // written without fraction and exponent, and fits an int64
  kUint,    // the same, too large for an int64, and fits a uint64
  kDouble,  // every other number
  kString,
  kArray,
  kObject,
};

struct JsonMember;

struct JsonValue {
  JsonType type = JsonType::kNull;
  bool boolean = false;
  std::int64_t int64 = 0;
  std::uint64_t uint64 = 0;  // of kUint, and of a kInt that is not negative
  double number = 0;         // of every number
  std::string text;          // of a string; of a number, the way it is written
  std::vector<JsonValue> items;
  std::vector<JsonMember> members;  // in the order of the file
  int line = 0;                     // of its first character, from 1
  int column = 0;                   // in characters, from 1
};

struct JsonMember {
  std::string key;
  int line = 0;  // of the key
  int column = 0;
  JsonValue value;
};

inline constexpr std::size_t kConfigFileBytesMax = 4u << 20;

struct JsonBounds {
  std::size_t bytes_max = kConfigFileBytesMax;  // below 2 GiB
  int depth_max = 32;  // of arrays and objects; [] is 1 deep, [[]] is 2
  std::size_t values_max = 1u << 18;
};

absl::StatusOr<JsonValue> ParsePositionedJson(absl::string_view text,
                                              absl::string_view origin,
                                              const JsonBounds& bounds = {});

// JSON paths, for error texts: "$" is the root, `$.servers[2].id`, and
// `$["odd key"]` for a key that is not a plain word.
std::string MemberPath(absl::string_view parent, absl::string_view key);
std::string ItemPath(absl::string_view parent, std::size_t index);

// A value for error texts: `"text"`, `12.5`, `true`, `null`, `an array`,
// `an object`; shortened, and printable.
std::string Describe(const JsonValue& value);

// `text` in quotes, shortened and printable, as Describe shows a string.
std::string QuotedExcerpt(absl::string_view text);

}  // namespace cluster::internal

#endif  // CLUSTER_CONFIG_POSITIONED_JSON_H_
