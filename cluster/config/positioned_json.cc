#include "cluster/config/positioned_json.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "rapidjson/error/error.h"
#include "rapidjson/memorystream.h"
#include "rapidjson/reader.h"

namespace cluster::internal {
namespace {

// Where the tokens of the text begin, in lines and columns. It keeps in step
// with a parser that reports each token after reading it.
class TokenCursor {
 public:
  explicit TokenCursor(absl::string_view text) : text_(text) {}

  // Moves to the first character of the next token, over what separates tokens.
  void ToNextToken() {
    while (offset_ < text_.size() && IsSeparator(text_[offset_])) Step();
  }

  // Moves forward to `offset`, or to the end if that comes first.
  void To(std::size_t offset) {
    while (offset_ < offset && offset_ < text_.size()) Step();
  }

  std::size_t offset() const { return offset_; }
  int line() const { return line_; }
  int column() const { return column_; }

 private:
  static bool IsSeparator(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' ||
           c == ':';
  }

  void Step() {
    const char c = text_[offset_++];
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else if ((c & 0xc0) != 0x80) {
      ++column_;  // the later bytes of a UTF-8 character do not count
    }
  }

  absl::string_view text_;
  std::size_t offset_ = 0;
  int line_ = 1;
  int column_ = 1;
};

absl::Status ErrorAt(absl::string_view origin, const TokenCursor& place,
                     absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat(origin, ":", place.line(), ":", place.column(), ": ", text));
}

// Whether it holds U+D800..U+DFFF, which RapidJSON 1.1 makes of a lone low
// surrogate's escape.
bool HoldsSurrogate(absl::string_view text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '\xed' && static_cast<unsigned char>(text[i + 1]) >= 0xa0)
      return true;
  }
  return false;
}

JsonValue NumberOf(absl::string_view text) {
  JsonValue value;
  value.text = std::string(text);
  if (!absl::SimpleAtod(text, &value.number)) value.number = 0;
  value.type = JsonType::kDouble;
  if (text.find_first_of(".eE") != absl::string_view::npos) return value;
  if (absl::SimpleAtoi(text, &value.int64)) {
    value.type = JsonType::kInt;
    if (value.int64 >= 0)
      value.uint64 = static_cast<std::uint64_t>(value.int64);
  } else if (absl::SimpleAtoi(text, &value.uint64)) {
    value.int64 = 0;
    value.type = JsonType::kUint;
  }
  return value;
}

// RapidJSON's handler. Its events come when a token has been read (of a bracket
// just before), so the cursor finds where the token began.
class TreeBuilder {
 public:
  TreeBuilder(absl::string_view text, const rapidjson::MemoryStream& stream,
              const JsonBounds& bounds)
      : text_(text), stream_(stream), bounds_(bounds), cursor_(text) {}

  bool Null() { return Scalar({}); }

  bool Bool(bool boolean) {
    JsonValue value;
    value.type = JsonType::kBool;
    value.boolean = boolean;
    return Scalar(std::move(value));
  }

  bool RawNumber(const char*, rapidjson::SizeType, bool) {
    cursor_.ToNextToken();
    const std::size_t begin = cursor_.offset();
    return Scalar(NumberOf(text_.substr(begin, stream_.Tell() - begin)));
  }

  bool String(const char* text, rapidjson::SizeType bytes, bool) {
    JsonValue value;
    value.type = JsonType::kString;
    value.text.assign(text, bytes);
    return CheckString(value.text) && Scalar(std::move(value));
  }

  bool Key(const char* text, rapidjson::SizeType bytes, bool) {
    JsonMember member;
    member.key.assign(text, bytes);
    if (!CheckString(member.key)) return false;
    member.line = cursor_.line();
    member.column = cursor_.column();
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
    cursor_.ToNextToken();
    if (!HoldsSurrogate(text)) return true;
    return Refuse("the string holds half of a surrogate pair");
  }

  bool Scalar(JsonValue value) {
    if (Add(std::move(value)) == nullptr) return false;
    cursor_.To(stream_.Tell());
    return true;
  }

  bool Open(JsonType type) {
    JsonValue value;
    value.type = type;
    JsonValue* const added = Add(std::move(value));
    if (added == nullptr) return false;
    if (open_.size() >= static_cast<std::size_t>(bounds_.depth_max)) {
      return Refuse(absl::StrCat("arrays and objects nested more than ",
                                 bounds_.depth_max, " deep"));
    }
    open_.push_back(added);
    cursor_.To(cursor_.offset() + 1);
    return true;
  }

  bool Close() {
    cursor_.ToNextToken();
    cursor_.To(cursor_.offset() + 1);
    open_.pop_back();
    return true;
  }

  // Puts a value into the innermost open array or object. These are in vectors
  // that do not grow while something within is open. Null: it is refused.
  JsonValue* Add(JsonValue value) {
    cursor_.ToNextToken();
    if (++values_ > bounds_.values_max) {
      Refuse(absl::StrCat("more than ", bounds_.values_max, " values"));
      return nullptr;
    }
    value.line = cursor_.line();
    value.column = cursor_.column();
    JsonValue* place = &root_;
    if (!open_.empty() && open_.back()->type == JsonType::kArray) {
      place = &open_.back()->items.emplace_back();
    } else if (!open_.empty()) {
      place = &open_.back()->members.back().value;
    }
    *place = std::move(value);
    return place;
  }

  const absl::string_view text_;
  const rapidjson::MemoryStream& stream_;
  const JsonBounds& bounds_;
  TokenCursor cursor_;
  JsonValue root_;
  std::vector<JsonValue*> open_;
  std::size_t values_ = 0;
  std::string refusal_;
};

constexpr std::size_t kWordBytesMax = 30;

// The whole word at `offset`, or one character.
std::string Found(absl::string_view text, std::size_t offset) {
  if (offset >= text.size()) return "found the end of the text";
  std::size_t end = offset;
  while (end < text.size() && end - offset < kWordBytesMax &&
         (absl::ascii_isalnum(static_cast<unsigned char>(text[end])) ||
          absl::StrContains("+-._", text[end]))) {
    ++end;
  }
  if (end > offset)
    return absl::StrCat("found \"", text.substr(offset, end - offset), "\"");
  const unsigned char c = static_cast<unsigned char>(text[offset]);
  if (c == '\n' || c == '\r') return "found the end of the line";
  if (c == '"') return "found a double quote";
  if (absl::ascii_isprint(c))
    return absl::StrCat("found \"", text.substr(offset, 1), "\"");
  return absl::StrFormat("found the byte 0x%02x", c);
}

// A hint at the mistake that people make most, or "".
std::string Hint(absl::string_view text, std::size_t offset) {
  if (offset >= text.size()) return "";
  switch (text[offset]) {
    case '/':
    case '#':
      return "; JSON has no comments";
    case '\'':
      return "; JSON's quotes are double quotes";
    case '}':
    case ']': {
      const absl::string_view before =
          absl::StripTrailingAsciiWhitespace(text.substr(0, offset));
      return absl::EndsWith(before, ",")
                 ? "; JSON allows no comma before a closing bracket"
                 : "";
    }
    default:
      return "";
  }
}

std::string Want(rapidjson::ParseErrorCode code) {
  switch (code) {
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "nothing after the document's end";
    case rapidjson::kParseErrorObjectMissName:
      return "a key in double quotes";
    case rapidjson::kParseErrorObjectMissColon:
      return "\":\" after the key";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "\",\" or \"}\"";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "\",\" or \"]\"";
    case rapidjson::kParseErrorNumberMissFraction:
      return "a digit after the decimal point";
    case rapidjson::kParseErrorNumberMissExponent:
      return "a digit in the exponent";
    default:
      return "an object, an array, a string, a number, true, false or null";
  }
}

std::string SyntaxErrorText(absl::string_view text, std::size_t offset,
                            rapidjson::ParseErrorCode code) {
  const bool at_end = offset >= text.size();
  switch (code) {
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "the text ends within a string; want a closing double quote";
    case rapidjson::kParseErrorStringEscapeInvalid:
      if (!at_end && text[offset] == '\\') {
        return "a backslash stands before one of \"\\/bfnrtu only";
      }
      return absl::StrCat(Found(text, offset),
                          " within a string; want a closing double quote, or "
                          "an escape such as \\n");
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
      return "want four hexadecimal digits after \\u";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      return "the \\u escape is half of a surrogate pair";
    case rapidjson::kParseErrorStringInvalidEncoding:
      return "the text is not UTF-8";
    case rapidjson::kParseErrorNumberTooBig:
      return absl::StrCat(Found(text, offset),
                          ", a number too large for a double");
    default:
      break;
  }
  if (code == rapidjson::kParseErrorDocumentEmpty && at_end)
    return "the text is empty; want an object";
  return absl::StrCat(Found(text, offset), ", want ", Want(code),
                      Hint(text, offset));
}

// Refuses bytes that RapidJSON takes for the end of the text, or reports poorly.
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
  // The place of a misspelt word, or of a string without an end, is its begin.
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
