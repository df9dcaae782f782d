#include "cluster/base/fork_generation.h"

#include <pthread.h>

#include "cluster/base/check.h"

namespace cluster::internal {
namespace fork_internal {

std::atomic<std::uint64_t> generation{1};

namespace {

// Before main, so that no fork is missed.
[[maybe_unused]] const bool counted = [] {
  const int error = pthread_atfork(nullptr, nullptr, [] {
    generation.fetch_add(1, std::memory_order_relaxed);
  });
  CLUSTER_CHECK(error == 0, "pthread_atfork has no memory");
  return true;
}();

}  // namespace
}  // namespace fork_internal
}  // namespace cluster::internal
