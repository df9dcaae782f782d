// The border between absl::Status and the C API's codes.
//
// Guarded runs the body of a C function: no exception leaves it, and the text of
// a failure is then cluster_last_error's. Thread-safe; the text is the calling
// thread's.
//
//   return Guarded([&]() -> absl::Status {
//     if (absl::Status bad = NotNull({{"server", server}}); !bad.ok()) return bad;
//     return server->server->RemovePeer(id);
//   });

#ifndef CLUSTER_C_STATUS_H_
#define CLUSTER_C_STATUS_H_

#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <new>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/c/cluster.h"

namespace cluster::internal {

// Keeps the text, and returns the code.
cluster_status Failed(absl::StatusCode code, absl::string_view text) noexcept;

// kInvalidArgument: a pointer is null; the text has its name.
absl::Status NotNull(
    std::initializer_list<std::pair<const char*, const void*>> arguments);

// For outputs of ids: what fits goes to `ids`, and the number of all to `count`
// if it is not null. kOutOfRange: not all fitted.
absl::Status CopyIds(const std::vector<int>& from, int32_t* ids,
                     std::size_t capacity, std::size_t* count);

template <typename Call>
cluster_status Guarded(Call call) noexcept {
  try {
    const absl::Status status = call();
    if (status.ok()) return CLUSTER_OK;
    return Failed(status.code(), status.message());
  } catch (const std::bad_alloc&) {
    return Failed(absl::StatusCode::kResourceExhausted,
                  "out of memory: an allocation failed; the call may be made "
                  "again");
  } catch (const std::exception& error) {
    return Failed(absl::StatusCode::kInternal, error.what());
  }
}

}  // namespace cluster::internal

#endif  // CLUSTER_C_STATUS_H_
