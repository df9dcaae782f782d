// Printable: text from anywhere, safe to show on a terminal.
//
// Control characters, a backslash and bytes that are not UTF-8 become escapes
// (\n, \t, \\, \x1b), so nothing that arrives can move the cursor or forge a
// line. What it is not: quoting for a shell or for JSON.
//
// Threads: a pure function. Errors: none.
//
//   std::cout << cluster::Printable(envelope.payload) << "\n";

#ifndef PROGRAMS_PRINTABLE_H_
#define PROGRAMS_PRINTABLE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace cluster {

std::string Printable(absl::string_view text);

}  // namespace cluster

#endif  // PROGRAMS_PRINTABLE_H_
