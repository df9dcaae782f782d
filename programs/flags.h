// The command line of the programs.
//
// Reads absl flags and returns usage errors as absl::Status. absl's own parser
// ends the process with exit code 1, which the programs keep for other
// failures. Call it once, first in main.
//
//   absl::StatusOr<std::vector<std::string>> arguments =
//       cluster::ReadCommandLine(argc, argv);
//   if (!arguments.ok()) return cluster::Fail(arguments.status(), kExitUsage);

#ifndef PROGRAMS_FLAGS_H_
#define PROGRAMS_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cluster {

inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

// Sets the flags and returns the other arguments, without the program's name.
// After "--" nothing is a flag. kInvalidArgument: an unknown flag, no value or
// a bad value. `--help` prints `usage`, `--version` the library's version; both
// end the process with exit code 0.
absl::StatusOr<std::vector<std::string>> ReadCommandLine(int argc, char** argv,
                                                         const char* usage);

// Prints "<program>: <text>" as one line to stderr, and returns `exit_code`.
int Fail(const char* program, const absl::Status& status, int exit_code);

}  // namespace cluster

#endif  // PROGRAMS_FLAGS_H_
