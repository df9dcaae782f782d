#include "cluster/base/descriptors.h"

#include <dirent.h>
#include <sys/resource.h>

#include <limits>

#include "absl/strings/str_cat.h"

namespace cluster::internal {
namespace {

std::size_t Allowed() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return std::numeric_limits<std::size_t>::max();
  return static_cast<std::size_t>(limit.rlim_cur);
}

}  // namespace

std::size_t DescriptorsInUse() {
  DIR* const folder = opendir("/proc/self/fd");
  if (folder == nullptr) return Allowed();
  std::size_t entries = 0;
  while (readdir(folder) != nullptr) ++entries;
  closedir(folder);
  return entries - 3;  // ".", ".." and the folder itself
}

absl::Status CheckDescriptors(const DescriptorNeed& need, std::size_t peers,
                              std::size_t in_use) {
  const std::size_t needed = need.For(peers);
  const std::size_t allowed = Allowed();
  if (in_use <= allowed && needed <= allowed - in_use) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "needs ", needed, " descriptors for ", peers, " peers, ", allowed,
      " allowed, ", in_use, " in use: raise the limit (ulimit -n) to ",
      needed + in_use, " or more"));
}

}  // namespace cluster::internal
