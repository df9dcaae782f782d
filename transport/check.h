// CLUSTER_CHECK: aborts with the place and a text when an internal contract is
// broken, in every build.
//
// For misuse by a programmer only; what comes from files, users or the network
// gets a Status instead.
//
//   CLUSTER_CHECK(frame.size() <= frame_bytes_max_, "frame over the limit");

#ifndef TRANSPORT_CHECK_H_
#define TRANSPORT_CHECK_H_

#include <cstdio>
#include <cstdlib>

#define CLUSTER_CHECK(condition, text)                                 \
  do {                                                                 \
    if (!(condition)) {                                                \
      std::fprintf(stderr, "%s:%d: check failed: %s (%s)\n", __FILE__, \
                   __LINE__, #condition, text);                        \
      std::abort();                                                    \
    }                                                                  \
  } while (false)

#endif  // TRANSPORT_CHECK_H_
