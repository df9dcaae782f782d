// Texts of a peer, and of where it is, to show to people: on one line and plain, whatever they are.

#ifndef CLUSTER_SESSION_PRINTABLE_H_
#define CLUSTER_SESSION_PRINTABLE_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cluster/transport/frame.h"

namespace cluster::internal {

// Other bytes than printable ASCII become "\x0a".
inline std::string Printable(absl::string_view text) {
  std::string printable;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) {
      absl::StrAppend(&printable, "\\x", absl::Hex(byte, absl::kZeroPad2));
    } else {
      printable += c;
    }
  }
  return printable;
}

inline std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", Printable(text), "\"");
}

// " (from 10.0.0.2:40112)", or nothing if it is not known.
inline std::string FromText(const FrameSource* source) {
  const std::string text = source == nullptr ? "" : source->Text();
  return text.empty() ? "" : absl::StrCat(" (from ", text, ")");
}

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_PRINTABLE_H_
