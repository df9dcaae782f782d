#include "cluster/c/status.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace cluster::internal {
namespace {

struct LastError {
  std::string text;
  bool lost = false;  // there was no memory for it
};
thread_local LastError last_error;

}  // namespace

cluster_status Failed(absl::StatusCode code, absl::string_view text) noexcept {
  try {
    last_error.text.assign(text.data(), text.size());
    last_error.lost = false;
  } catch (const std::bad_alloc&) {
    last_error.lost = true;
  }
  return static_cast<cluster_status>(code);
}

absl::Status NotNull(
    std::initializer_list<std::pair<const char*, const void*>> arguments) {
  for (const auto& [name, pointer] : arguments) {
    if (pointer == nullptr)
      return absl::InvalidArgumentError(absl::StrCat(name, " is NULL"));
  }
  return absl::OkStatus();
}

absl::Status CopyIds(const std::vector<int>& from, int32_t* ids,
                     std::size_t capacity, std::size_t* count) {
  if (capacity > 0) {
    if (absl::Status status = NotNull({{"ids", ids}}); !status.ok())
      return status;
  }
  if (count != nullptr) *count = from.size();
  std::copy_n(from.begin(), std::min(from.size(), capacity), ids);
  if (from.size() <= capacity) return absl::OkStatus();
  return absl::OutOfRangeError(
      absl::StrCat("there are ", from.size(), " ids, and room for ", capacity));
}

}  // namespace cluster::internal

const char* cluster_last_error(void) {
  using cluster::internal::last_error;
  return last_error.lost ? "out of memory: also for the text of the error"
                         : last_error.text.c_str();
}
