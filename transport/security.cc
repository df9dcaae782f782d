#include "cluster/transport/security.h"

#include "absl/strings/str_cat.h"

namespace cluster {

std::ostream& operator<<(std::ostream& out, const Rejection& rejection) {
  out << RefusalReasonName(rejection.kind);
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
