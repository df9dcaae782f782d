// The backend under test: the BUILD file makes one test of each file for each
// backend on byte streams.

#ifndef TESTS_STREAMS_BACKEND_H_
#define TESTS_STREAMS_BACKEND_H_

#include <memory>

#include "absl/status/statusor.h"
#include "cluster/transport/registry.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace streams {

inline absl::StatusOr<std::unique_ptr<Transport>> NewBackend(
    const TransportConfig& config) {
  const absl::StatusOr<TransportFactory> factory =
      FindTransport(STREAM_BACKEND);
  if (!factory.ok()) return factory.status();
  return (*factory)(config);
}

}  // namespace streams
}  // namespace cluster::internal

#endif  // TESTS_STREAMS_BACKEND_H_
