// Printable: makes any text safe to show on a terminal.
//
// Characters that a terminal could obey or hide become escapes. These are
// Unicode's controls and formats (\n, \x1b, \u202e), and characters that show
// nothing or are not assigned. So do a backslash (\\) and bytes that are not UTF-8 (\xff).
// No envelope can move the cursor, forge a line or turn its direction. It does
// not quote for a shell or for JSON. A pure function.
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
