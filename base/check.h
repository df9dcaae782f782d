// CLUSTER_CHECK: aborts with the place and a text when an internal contract is
// broken, in every build.
//
// For a programmer's misuse only; errors in files, input or network traffic get
// a Status.
//
//   CLUSTER_CHECK(frame.size() <= frame_bytes_max_, "frame over the limit");
//
// OrEndProcess: ends the process with a text where memory runs out and no
// caller could learn it, as on the library's own threads.
//
//   OrEndProcess("a receiving thread", [this] { Loop(); });

#ifndef CLUSTER_BASE_CHECK_H_
#define CLUSTER_BASE_CHECK_H_

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <utility>

#define CLUSTER_CHECK(condition, text)                                 \
  do {                                                                 \
    if (!(condition)) {                                                \
      std::fprintf(stderr, "%s:%d: check failed: %s (%s)\n", __FILE__, \
                   __LINE__, #condition, text);                        \
      std::abort();                                                    \
    }                                                                  \
  } while (false)

namespace cluster::internal {

// Any other exception from `step` calls std::terminate.
template <typename Step>
auto OrEndProcess(const char* where, Step&& step) noexcept
    -> decltype(std::forward<Step>(step)()) {
  try {
    return std::forward<Step>(step)();
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "cluster: out of memory in %s, ends the process\n",
                 where);
    std::abort();
  } catch (...) {
    std::terminate();
  }
}

}  // namespace cluster::internal

#endif  // CLUSTER_BASE_CHECK_H_
