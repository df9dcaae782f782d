// Keeps the process from starting threads, except those that ask for a stack
// size of their own.
//
// It sets a default stack larger than any address space. That needs no
// privilege, and no limit that would disturb sanitizers. For tests; one at a
// time. Failures abort.
//
//   const NoMoreThreads none;
//   EXPECT_EQ(transport->Start(...).code(), kResourceExhausted);

#ifndef CLUSTER_BASE_TESTING_NO_MORE_THREADS_H_
#define CLUSTER_BASE_TESTING_NO_MORE_THREADS_H_

#include <pthread.h>

#include <cstddef>

#include "cluster/base/check.h"

namespace cluster::internal {

class NoMoreThreads {
 public:
  NoMoreThreads() {
    pthread_attr_t attributes;
    CLUSTER_CHECK(pthread_getattr_default_np(&attributes) == 0, "no defaults");
    CLUSTER_CHECK(pthread_attr_getstacksize(&attributes, &before_) == 0,
                  "no stack size");
    pthread_attr_destroy(&attributes);
    SetStackBytes(std::size_t{1} << 60);
  }
  ~NoMoreThreads() { SetStackBytes(before_); }
  NoMoreThreads(const NoMoreThreads&) = delete;
  NoMoreThreads& operator=(const NoMoreThreads&) = delete;

 private:
  static void SetStackBytes(std::size_t bytes) {
    pthread_attr_t attributes;
    CLUSTER_CHECK(pthread_getattr_default_np(&attributes) == 0, "no defaults");
    CLUSTER_CHECK(pthread_attr_setstacksize(&attributes, bytes) == 0 &&
                      pthread_setattr_default_np(&attributes) == 0,
                  "the stack size cannot be set");
    pthread_attr_destroy(&attributes);
  }

  std::size_t before_ = 0;
};

}  // namespace cluster::internal

#endif  // CLUSTER_BASE_TESTING_NO_MORE_THREADS_H_
