// Checks that the process may open the descriptors that a transport needs.
//
// A transport without descriptors would retry for ever or end the process. So
// it counts before it opens any, and refuses with the numbers. It cannot
// foresee what the rest of the process opens later. Thread-safe.
// kResourceExhausted.
//
//   DescriptorNeed need{/*fixed=*/24, /*per_peer=*/5};
//   absl::Status status = CheckDescriptors(need, peers, DescriptorsInUse());

#ifndef CLUSTER_BASE_DESCRIPTORS_H_
#define CLUSTER_BASE_DESCRIPTORS_H_

#include <cstddef>

#include "absl/status/status.h"

namespace cluster::internal {

// The descriptors of a transport whose peers are all connected in both
// directions.
struct DescriptorNeed {
  std::size_t fixed = 0;  // with some for connections that are not let in
  std::size_t per_peer = 0;

  std::size_t For(std::size_t peers) const { return fixed + peers * per_peer; }
};

// The number that the process has open now; the limit if none is left to count
// with.
std::size_t DescriptorsInUse();

// Whether what is needed fits beside `in_use` within the process's limit.
absl::Status CheckDescriptors(const DescriptorNeed& need, std::size_t peers,
                              std::size_t in_use);

}  // namespace cluster::internal

#endif  // CLUSTER_BASE_DESCRIPTORS_H_
