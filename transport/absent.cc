// The factory of a transport that this build leaves out: optional.bzl compiles
// this file for each.

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
  constexpr char kName[] = CLUSTER_TEXT(CLUSTER_ABSENT);
  return absl::UnimplementedError(absl::StrCat(
      "this build has no ", kName, ": it was built with --//:with_", kName,
      "=false; leave the flag out, or choose another transport"));
}

}  // namespace cluster
