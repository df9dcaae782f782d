#include "programs/printable.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cluster/codec/json/text.h"

namespace cluster {
namespace {

void AppendEscape(unsigned char byte, std::string* out) {
  switch (byte) {
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
      absl::StrAppend(out, "\\x", absl::Hex(byte, absl::kZeroPad2));
  }
}

// U+0080 to U+009F, which some terminals obey: 0xc2 0x80 to 0xc2 0x9f.
bool StartsWithC1Control(absl::string_view text) {
  return text.size() >= 2 && text[0] == '\xc2' &&
         static_cast<unsigned char>(text[1]) < 0xa0;
}

// `text` is UTF-8.
void AppendUtf8(absl::string_view text, std::string* out) {
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text[0]);
    if (StartsWithC1Control(text)) {
      AppendEscape(byte, out);
      AppendEscape(static_cast<unsigned char>(text[1]), out);
      text.remove_prefix(2);
      continue;
    }
    if (byte < 0x20 || byte == 0x7f || byte == '\\') {
      AppendEscape(byte, out);
    } else {
      out->push_back(text[0]);
    }
    text.remove_prefix(1);
  }
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t bytes = internal::Utf8Bytes(text);
    AppendUtf8(text.substr(0, bytes), &out);
    text.remove_prefix(bytes);
    if (text.empty()) break;
    AppendEscape(static_cast<unsigned char>(text[0]), &out);
    text.remove_prefix(1);
  }
  return out;
}

}  // namespace cluster
