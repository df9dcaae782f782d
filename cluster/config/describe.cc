#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cluster/config/positioned_json.h"

namespace cluster::internal {
namespace {

// The longest piece of a file that an error text repeats.
constexpr std::size_t kShownBytes = 80;

bool IsPlainWord(absl::string_view key) {
  if (key.empty() || key.size() > kShownBytes) return false;
  for (char c : key) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c >= '0' && c <= '9') || c == '_';
    if (!plain) return false;
  }
  return true;
}

// Cuts at a character's end, so that what is shown stays UTF-8.
absl::string_view Shortened(absl::string_view text) {
  if (text.size() <= kShownBytes) return text;
  std::size_t end = kShownBytes;
  while (end > 0 && (text[end] & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace

std::string MemberPath(absl::string_view parent, absl::string_view key) {
  if (IsPlainWord(key)) return absl::StrCat(parent, ".", key);
  return absl::StrCat(parent, "[", QuotedExcerpt(key), "]");
}

std::string ItemPath(absl::string_view parent, std::size_t index) {
  return absl::StrCat(parent, "[", index, "]");
}

std::string QuotedExcerpt(absl::string_view text) {
  const absl::string_view shown = Shortened(text);
  return absl::StrCat("\"", absl::Utf8SafeCEscape(shown),
                      shown.size() < text.size() ? "..." : "", "\"");
}

std::string Describe(const JsonValue& value) {
  switch (value.type) {
    case JsonType::kNull:
      return "null";
    case JsonType::kBool:
      return value.boolean ? "true" : "false";
    case JsonType::kInt:
    case JsonType::kUint:
    case JsonType::kDouble: {
      const absl::string_view shown = Shortened(value.text);
      return absl::StrCat(shown, shown.size() < value.text.size() ? "..." : "");
    }
    case JsonType::kString:
      return QuotedExcerpt(value.text);
    case JsonType::kArray:
      return "an array";
    case JsonType::kObject:
      return "an object";
  }
  return "a value";
}

}  // namespace cluster::internal
