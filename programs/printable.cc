#include "programs/printable.h"

#include <utf8proc.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cluster {
namespace {

void AppendByteEscape(unsigned char byte, std::string* out) {
  absl::StrAppend(out, "\\x", absl::Hex(byte, absl::kZeroPad2));
}

void AppendEscape(utf8proc_int32_t character, std::string* out) {
  switch (character) {
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    case '\\':
      out->append("\\\\");
      return;
    default:
      break;
  }
  if (character < 0x80) {
    AppendByteEscape(static_cast<unsigned char>(character), out);
  } else if (character <= 0xffff) {
    absl::StrAppendFormat(out, "\\u%04x", character);
  } else {
    absl::StrAppendFormat(out, "\\U%08x", character);
  }
}

bool IsPlain(utf8proc_int32_t character) {
  if (character == '\\') return false;
  const utf8proc_property_t& property = *utf8proc_get_property(character);
  switch (property.category) {
    case UTF8PROC_CATEGORY_CC:  // controls
    case UTF8PROC_CATEGORY_CF:  // directions, joiners, tags
    case UTF8PROC_CATEGORY_CN:  // not assigned
    case UTF8PROC_CATEGORY_CO:  // private use
    case UTF8PROC_CATEGORY_CS:  // surrogates
    case UTF8PROC_CATEGORY_ZL:  // ends a line
    case UTF8PROC_CATEGORY_ZP:  // ends a paragraph
      return false;
    default:
      return property.ignorable == 0;  // shows nothing
  }
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    utf8proc_int32_t character = -1;
    const utf8proc_ssize_t bytes = utf8proc_iterate(
        reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
        static_cast<utf8proc_ssize_t>(text.size()), &character);
    if (bytes <= 0) {
      AppendByteEscape(static_cast<unsigned char>(text[0]), &out);
      text.remove_prefix(1);
      continue;
    }
    const auto taken = static_cast<std::size_t>(bytes);
    if (IsPlain(character)) {
      absl::StrAppend(&out, text.substr(0, taken));
    } else {
      AppendEscape(character, &out);
    }
    text.remove_prefix(taken);
  }
  return out;
}

}  // namespace cluster
