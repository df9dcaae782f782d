#include "cluster/config/syntax_error.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cluster::internal {
namespace {

constexpr std::size_t kWordBytesMax = 30;

// What stands at `offset`: a whole word, or one character.
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

}  // namespace

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

}  // namespace cluster::internal
