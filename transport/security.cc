#include "cluster/transport/security.h"

#include <cstddef>

#include "absl/strings/str_cat.h"

namespace cluster {

const char* RejectionKindName(RejectionKind kind) {
  static constexpr const char* kNames[kRejectionKinds] = {
      "unauthenticated", "wrong identity", "malformed", "silent"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::ostream& operator<<(std::ostream& out, const Rejection& rejection) {
  out << RejectionKindName(rejection.kind);
  if (rejection.peer) out << ", as server " << *rejection.peer;
  return out << ": " << rejection.reason;
}

absl::Status SecurityUnsupported(absl::string_view transport) {
  return absl::InvalidArgumentError(absl::StrCat(
      "the transport \"", transport,
      "\" has no security: choose one that has, or leave \"security\" out"));
}

absl::Status SecurityNotConfigured() {
  return absl::FailedPreconditionError(
      "there is no security to reload: the transport was made without it");
}

}  // namespace cluster
