// Printable: makes any text safe to show on a terminal.
//
// Control characters, a backslash and bytes that are not UTF-8 become escapes
// (\n, \t, \\, \x1b). So no envelope can move the cursor or forge a line. It
// does not quote for a shell or for JSON. A pure function.
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
