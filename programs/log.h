// The log of a program: a server's records on standard error, as text or as JSON.
//
// Adds the flags --log_level and --log_format. Off unless asked for.
//
//   if (absl::Status status = SetLogFromFlags(server.get()); !status.ok())
//     return status;

#ifndef PROGRAMS_LOG_H_
#define PROGRAMS_LOG_H_

#include <string>

#include "absl/status/status.h"
#include "cluster/log.h"
#include "cluster/server.h"

namespace cluster {

// The text of `--help` about these flags.
std::string LogFlagsHelp();

// Call it before the server starts. A wrong flag is a UsageError.
absl::Status SetLogFromFlags(Server* server);

// One line without its end: {"time":"2026-11-30T12:00:00.123Z","severity":...}.
std::string LogJson(const LogRecord& record);

}  // namespace cluster

#endif  // PROGRAMS_LOG_H_
