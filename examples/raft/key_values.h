// KeyValues: the replicated state machine, a map of strings.
//
// It depends on nothing but the commands, so all servers that applied the same
// ones have the same map. A plain value.
//
//   KeyValues map;
//   map.Apply(PutCommand("color", "blue"));
//   map.Apply(GetCommand("color"));  // "blue"

#ifndef EXAMPLES_RAFT_KEY_VALUES_H_
#define EXAMPLES_RAFT_KEY_VALUES_H_

#include <map>
#include <string>

#include "absl/strings/string_view.h"

namespace raft {

std::string PutCommand(absl::string_view key, absl::string_view value);
// A get is in the log too. So it returns the latest value, whichever server
// leads by then (section 8 has a cheaper way).
std::string GetCommand(absl::string_view key);

class KeyValues {
 public:
  // Returns the value of the key after the command; "" if there is none.
  std::string Apply(absl::string_view command);

  std::string Save() const;
  void Restore(absl::string_view state);

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace raft

#endif  // EXAMPLES_RAFT_KEY_VALUES_H_
