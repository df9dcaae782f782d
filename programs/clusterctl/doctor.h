// Diagnose: why a pair of servers is not up, from both ends' evidence.
//
// It compares what the two say of themselves, and then looks at what each counted
// and reported of the other. With one end alone it says what that one knows. Pure
// functions; texts in findings are foreign.
//
//   for (const Finding& finding : Diagnose(evidence))
//     std::cout << finding.what << "\n";

#ifndef PROGRAMS_CLUSTERCTL_DOCTOR_H_
#define PROGRAMS_CLUSTERCTL_DOCTOR_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "programs/clusterctl/server_view.h"

namespace cluster {

// All that is known of one listed server.
struct Evidence {
  int id = 0;
  absl::StatusOr<ServerView> view;  // or why there is none
};

struct Finding {
  // For programs: "wrong_cluster"; docs/operating.md has all.
  std::string code;
  std::vector<int> servers;
  std::string what;
  std::string remedy;
  bool trouble = true;  // false: worth a look, but all is up
};

// The pairs that are not up, each with its causes, the likeliest first; then what
// is wrong with servers that are up. Empty: all is well.
std::vector<Finding> Diagnose(const std::vector<Evidence>& evidence);

}  // namespace cluster

#endif  // PROGRAMS_CLUSTERCTL_DOCTOR_H_
