// The config of a program: its file, and the flags that change it.
//
// Adds the flags --config, --transport and --codec. Call it from the body of
// RunProgram. A wrong flag is a UsageError; other errors are those of the file.
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

// The text of `--help` about these flags.
std::string ConfigFlagsHelp();

// The file that --config names, relative to the folder in which the user typed
// `bazel run`. Without the flag: configs/cluster.json of the program's
// runfiles, or below the current folder.
std::string ConfigFile();

// The config of that file with the flags' transport and codec. Refuses the
// memory transport, which does not leave the process.
absl::StatusOr<Config> LoadProgramConfig();

}  // namespace cluster

#endif  // PROGRAMS_PROGRAM_CONFIG_H_
