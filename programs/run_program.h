// RunProgram: the command line, errors and exit codes of all programs.
//
// It sets the absl flags, runs the program and returns its exit code. That is 0,
// kExitUsage for a UsageError, kExitTrouble for FoundTrouble, and kExitFailure for
// any other error. It prints the error as one line, "<program>: <text>". An output
// that cannot be written is an error too, unless its reader has gone (EPIPE).
// `--help` prints `usage` and the exit codes, `--version` the library's version.
// The program has the name that it was started by, "$0" in `usage`: "node" of
// Bazel is "cluster-node" once installed.
//
// Call it first in main, before any thread, descriptor or output.
//
//   int main(int argc, char** argv) {
//     return cluster::RunProgram(usage, &Run, argc, argv);
//   }

#ifndef PROGRAMS_RUN_PROGRAM_H_
#define PROGRAMS_RUN_PROGRAM_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cluster {

inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitTrouble = 3;

// Gets the arguments that are no flags, without the program's name. After "--"
// nothing is a flag.
using ProgramBody =
    std::function<absl::Status(const std::vector<std::string>& arguments)>;

int RunProgram(const std::string& usage, const ProgramBody& body, int argc,
               char** argv);

// An error in what the user typed to start the program.
absl::Status UsageError(absl::string_view text);
// The program did its work and has said what it found to be wrong: no error text.
absl::Status FoundTrouble();
// "--count=0: want 1 to 1000"; OK if the value is in range.
absl::Status CheckFlag(absl::string_view name, std::int64_t value,
                       std::int64_t least, std::int64_t most);

// Writes to standard output. An error is kept for RunProgram, which reports it.
void Print(const std::string& text);

// A path that the user typed: `bazel run` starts a program in another folder
// than the user's.
std::string UsersPath(const std::string& path);

// The error of a write to standard output. OK if it failed because the reader
// has gone, which is a way to end a program.
absl::Status OutputError(int errno_value);

}  // namespace cluster

#endif  // PROGRAMS_RUN_PROGRAM_H_
