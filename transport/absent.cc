// The factory of a transport that this build leaves out: optional.bzl and
// CMakeLists.txt compile this file for each.

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/transport.h"

// The second macro expands CLUSTER_ABSENT before the first makes a text of it.
#define CLUSTER_TEXT_OF(name) #name
#define CLUSTER_TEXT(name) CLUSTER_TEXT_OF(name)

namespace cluster {

absl::StatusOr<std::unique_ptr<Transport>> CLUSTER_ABSENT_FACTORY(
    const TransportConfig& /*config*/) {
  return absl::UnimplementedError(
      absl::StrCat("this build has no ", CLUSTER_TEXT(CLUSTER_ABSENT),
                   ": it was built with ", CLUSTER_ABSENT_FLAG,
                   "; leave the flag out, or choose another transport"));
}

}  // namespace cluster
