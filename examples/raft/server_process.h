// A server of the program: a Node in a process of its own, which obeys lines on
// standard input and reports on standard output. prompt.h is the other end.
//
//   in:   peer <id> <address>     where another server listens now
//         do <number> <command>   "put <key> <value>" or "get <key>"
//         status
//         (end of the input)      stop, and exit
//   out:  address <address>       where this one listens
//         role <role> <term> <leader>              it has changed
//         answer <number> <text>  the value of the key, or why there is none
//         status <text>
//         error <text>            it cannot go on
//
//   RunServerProcess(config);

#ifndef EXAMPLES_RAFT_SERVER_PROCESS_H_
#define EXAMPLES_RAFT_SERVER_PROCESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "examples/raft/node.h"

namespace raft {

// Returns at the end of the input, or after it has reported an error.
void RunServerProcess(const NodeConfig& config);

// "put <key> <value>" or "get <key>" as a command of KeyValues; the value may
// have spaces. kInvalidArgument: it is neither.
absl::StatusOr<std::string> ParseCommand(absl::string_view text);

}  // namespace raft

#endif  // EXAMPLES_RAFT_SERVER_PROCESS_H_
