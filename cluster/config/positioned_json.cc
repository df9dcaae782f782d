#include "cluster/config/positioned_json.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cluster/config/syntax_error.h"
#include "cluster/config/token_cursor.h"
#include "rapidjson/memorystream.h"
#include "rapidjson/reader.h"

namespace cluster::internal {
namespace {

absl::Status ErrorAt(absl::string_view origin, const TokenCursor& place,
                     absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat(origin, ":", place.line(), ":", place.column(), ": ", text));
}

// The bytes of U+D800..U+DFFF, which RapidJSON 1.1 makes of a low surrogate's
// escape that stands alone.
bool HoldsSurrogate(absl::string_view text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '\xed' && static_cast<unsigned char>(text[i + 1]) >= 0xa0)
      return true;
  }
  return false;
}

void SetNumber(absl::string_view text, JsonValue* value) {
  value->text = std::string(text);
  if (!absl::SimpleAtod(text, &value->number)) value->number = 0;
  value->type = JsonType::kDouble;
  if (text.find_first_of(".eE") != absl::string_view::npos) return;
  if (absl::SimpleAtoi(text, &value->int64)) {
    value->type = JsonType::kInt;
    if (value->int64 >= 0)
      value->uint64 = static_cast<std::uint64_t>(value->int64);
  } else if (absl::SimpleAtoi(text, &value->uint64)) {
    value->int64 = 0;
    value->type = JsonType::kUint;
  }
}

// RapidJSON's handler. It is told of a token once that has been read (of a
// bracket just before), so the cursor finds where it began.
class TreeBuilder {
 public:
  TreeBuilder(absl::string_view text, const rapidjson::MemoryStream& stream,
              const JsonBounds& bounds)
      : text_(text), stream_(stream), bounds_(bounds), cursor_(text) {}

  bool Null() { return Scalar() != nullptr; }

  bool Bool(bool boolean) {
    JsonValue* value = Scalar();
    if (value == nullptr) return false;
    value->type = JsonType::kBool;
    value->boolean = boolean;
    return true;
  }

  bool RawNumber(const char*, rapidjson::SizeType, bool) {
    cursor_.ToNextToken();
    const std::size_t begin = cursor_.offset();
    JsonValue* value = Scalar();
    if (value == nullptr) return false;
    SetNumber(text_.substr(begin, cursor_.offset() - begin), value);
    return true;
  }

  bool String(const char* text, rapidjson::SizeType bytes, bool) {
    cursor_.ToNextToken();
    if (!CheckString({text, bytes})) return false;
    JsonValue* value = Scalar();
    if (value == nullptr) return false;
    value->type = JsonType::kString;
    value->text.assign(text, bytes);
    return true;
  }

  bool Key(const char* text, rapidjson::SizeType bytes, bool) {
    cursor_.ToNextToken();
    if (!CheckString({text, bytes})) return false;
    JsonMember member;
    member.key =
        JsonKey{std::string(text, bytes), cursor_.line(), cursor_.column()};
    open_.back()->members.push_back(std::move(member));
    cursor_.To(stream_.Tell());
    return true;
  }

  bool StartObject() { return Open(JsonType::kObject); }
  bool StartArray() { return Open(JsonType::kArray); }
  bool EndObject(rapidjson::SizeType) { return Close(); }
  bool EndArray(rapidjson::SizeType) { return Close(); }

  // Numbers come as RawNumber; RapidJSON wants these to exist.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }

  const std::string& refusal() const { return refusal_; }
  TokenCursor& cursor() { return cursor_; }
  JsonValue TakeRoot() { return std::move(root_); }

 private:
  bool Refuse(std::string text) {
    refusal_ = std::move(text);
    return false;
  }

  bool CheckString(absl::string_view text) {
    if (!HoldsSurrogate(text)) return true;
    return Refuse("the string holds half of a surrogate pair");
  }

  // The place of a new value: where the innermost open array or object wants
  // it. These lie in vectors that do not grow while something within is open.
  JsonValue* Add() {
    cursor_.ToNextToken();
    if (++values_ > bounds_.values_max) {
      Refuse(absl::StrCat("more than ", bounds_.values_max, " values"));
      return nullptr;
    }
    JsonValue* value = &root_;
    if (!open_.empty() && open_.back()->type == JsonType::kArray) {
      value = &open_.back()->items.emplace_back();
    } else if (!open_.empty()) {
      value = &open_.back()->members.back().value;
    }
    value->line = cursor_.line();
    value->column = cursor_.column();
    return value;
  }

  JsonValue* Scalar() {
    JsonValue* value = Add();
    if (value != nullptr) cursor_.To(stream_.Tell());
    return value;
  }

  bool Open(JsonType type) {
    JsonValue* value = Add();
    if (value == nullptr) return false;
    if (open_.size() >= static_cast<std::size_t>(bounds_.depth_max)) {
      return Refuse(absl::StrCat("arrays and objects nested more than ",
                                 bounds_.depth_max, " deep"));
    }
    value->type = type;
    open_.push_back(value);
    cursor_.To(cursor_.offset() + 1);
    return true;
  }

  bool Close() {
    cursor_.ToNextToken();
    cursor_.To(cursor_.offset() + 1);
    open_.pop_back();
    return true;
  }

  absl::string_view text_;
  const rapidjson::MemoryStream& stream_;
  const JsonBounds& bounds_;
  TokenCursor cursor_;
  JsonValue root_;
  std::vector<JsonValue*> open_;
  std::size_t values_ = 0;
  std::string refusal_;
};

// What RapidJSON would take for the end of the text, or report poorly.
absl::Status CheckBytes(absl::string_view text, absl::string_view origin,
                        const JsonBounds& bounds) {
  TokenCursor place(text);
  if (text.size() > bounds.bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": found ", text.size(), " bytes, want at most ",
                     bounds.bytes_max));
  }
  if (absl::StartsWith(text, "\xef\xbb\xbf")) {
    return ErrorAt(origin, place,
                   "found a byte order mark, want UTF-8 without one");
  }
  const std::size_t zero = text.find('\0');
  if (zero != absl::string_view::npos) {
    place.To(zero);
    return ErrorAt(origin, place, "found a zero byte, want JSON text");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JsonValue> ParsePositionedJson(absl::string_view text,
                                              absl::string_view origin,
                                              const JsonBounds& bounds) {
  absl::Status status = CheckBytes(text, origin, bounds);
  if (!status.ok()) return status;

  rapidjson::MemoryStream stream(text.data(), text.size());
  TreeBuilder builder(text, stream, bounds);
  rapidjson::Reader reader;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, builder);
  if (!result.IsError()) return builder.TakeRoot();

  TokenCursor& place = builder.cursor();
  if (result.Code() == rapidjson::kParseErrorTermination)
    return ErrorAt(origin, place, builder.refusal());
  // A misspelt word and a string without an end are told from where they begin.
  if (result.Code() == rapidjson::kParseErrorValueInvalid ||
      result.Code() == rapidjson::kParseErrorStringMissQuotationMark) {
    place.ToNextToken();
  } else {
    place.To(result.Offset());
  }
  return ErrorAt(origin, place,
                 SyntaxErrorText(text, place.offset(), result.Code()));
}

}  // namespace cluster::internal
