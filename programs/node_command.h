// NodeCommand: parses a line that a user types into the node program.
//
// kNodeHelp describes the grammar; node.cc executes the commands. The parser
// does not check ids and addresses against a cluster. A pure function.
// kInvalidArgument has a text for people.
//
//   absl::StatusOr<NodeCommand> command = ParseNodeCommand("2 --term=7 hello");
//   // command->kind == NodeCommand::kSend, command->pids == {2}

#ifndef PROGRAMS_NODE_COMMAND_H_
#define PROGRAMS_NODE_COMMAND_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cluster/envelope.h"

namespace cluster {

struct NodeCommand {
  enum Kind {
    kNothing,  // an empty line
    kSend,     // `envelope` to `pids`; to all others if `pids` is empty
    kAdd,      // `pids[0]` at `address`
    kRemove,   // `pids[0]`
    kPeers,
    kStats,
    kHelp,
    kQuit,
  };
  Kind kind = kNothing;
  std::vector<int> pids;
  Envelope envelope;
  std::string address;
};

extern const char kNodeHelp[];

absl::StatusOr<NodeCommand> ParseNodeCommand(absl::string_view line);

}  // namespace cluster

#endif  // PROGRAMS_NODE_COMMAND_H_
