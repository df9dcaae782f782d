// The config of a program: which file, and what the flags change in it.
//
// What it is: the flags --config, --transport and --codec, which every program
// has, and their meaning. What it is not: the reader (cluster/config.h).
//
// Threads: after ReadCommandLine, on one thread. Errors: kNotFound and
// kInvalidArgument, with a text for people.
//
//   absl::StatusOr<cluster::Config> config = cluster::LoadProgramConfig();

#ifndef PROGRAMS_PROGRAM_CONFIG_H_
#define PROGRAMS_PROGRAM_CONFIG_H_

#include <string>

#include "absl/flags/declare.h"
#include "absl/status/statusor.h"
#include "cluster/config.h"

ABSL_DECLARE_FLAG(std::string, config);
ABSL_DECLARE_FLAG(std::string, transport);
ABSL_DECLARE_FLAG(std::string, codec);

namespace cluster {

// What `--help` says of the flags here.
extern const char kConfigFlagsHelp[];

// The file that --config names; relative to where the user typed `bazel run`.
// Without the flag: configs/cluster.json of the program's runfiles, or below
// the current folder.
std::string ConfigFile();

// The config of that file with the flags' transport and codec. The memory
// transport is refused: it does not leave the process.
absl::StatusOr<Config> LoadProgramConfig();

}  // namespace cluster

#endif  // PROGRAMS_PROGRAM_CONFIG_H_
