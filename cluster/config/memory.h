// The parts of memory_bytes_max, for the config's checks and for the budget that
// keeps to it (cluster/session/memory_budget.h). Pure functions.
//
//   const MemoryParts parts = ShareOutMemory(1u << 30, 64u << 20);

#ifndef CLUSTER_CONFIG_MEMORY_H_
#define CLUSTER_CONFIG_MEMORY_H_

#include <algorithm>
#include <cstddef>

namespace cluster::internal {

// The largest record of a payload, in any codec: base64 takes four bytes for
// three, and the fields are well below 4 KiB.
inline std::size_t RecordBytesLimit(std::size_t payload_bytes_max) {
  return payload_bytes_max + payload_bytes_max / 3 + 4096;
}

struct MemoryParts {
  std::size_t sending;     // queued, or transmitted and not consumed
  std::size_t windows;     // received and not consumed
  std::size_t reassembly;  // large records, until they are taken
  std::size_t record_bytes_max;
};

// A third each; but reassembly has at least what one peer can need, a record in
// each of three lanes.
inline MemoryParts ShareOutMemory(std::size_t memory_bytes_max,
                                  std::size_t payload_bytes_max) {
  MemoryParts parts;
  parts.record_bytes_max = RecordBytesLimit(payload_bytes_max);
  parts.reassembly = std::max(3 * parts.record_bytes_max, memory_bytes_max / 3);
  const std::size_t rest =
      memory_bytes_max - std::min(memory_bytes_max, parts.reassembly);
  parts.windows = rest / 2;
  parts.sending = rest - parts.windows;
  return parts;
}

// With less, the half of the sending part that all peers share would not hold
// one payload of payload_bytes_max.
inline std::size_t MemoryBytesMin(std::size_t payload_bytes_max) {
  return 7 * RecordBytesLimit(payload_bytes_max);
}

}  // namespace cluster::internal

#endif  // CLUSTER_CONFIG_MEMORY_H_
