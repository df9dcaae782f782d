// NetworkConditions: how a TcpProxy treats the bytes that pass it.
//
// Faults of one moment (cuts, lost sides) are calls of the proxy instead.
//
//   NetworkConditions far;
//   far.delay = absl::Milliseconds(30);
//   proxy.Set(far);

#ifndef TESTS_HARNESS_NETWORK_CONDITIONS_H_
#define TESTS_HARNESS_NETWORK_CONDITIONS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace cluster::internal {

// Forward is from the dialler to the target. Between servers all frames travel
// forward, and at most the transport's handshakes travel backward.
enum class Way { kForward, kBackward };
inline constexpr int kWays = 2;

// The end of a connection at which a way begins.
enum class Side { kDialler, kTarget };
inline constexpr int kSides = 2;

enum class CutBy {
  kReset,   // RST
  kFinish,  // FIN
};

struct NetworkConditions {
  // Passes nothing on, not even the end of a connection. The proxy still takes
  // as much as its buffer holds; new connections wait.
  bool stalled = false;
  // A one-way black hole: takes and drops all bytes. When it ends, connections
  // that lost bytes are reset, since their streams have holes.
  std::array<bool, kWays> swallows{};
  absl::Duration delay = absl::ZeroDuration();
  std::uint64_t bytes_per_second = 0;  // of each way of a connection; 0: any
  // The most that is in each way of a connection, delayed or waiting for its
  // pace. About as much as a switch in the network holds.
  std::size_t buffer_bytes = 64u << 10;
};

struct ProxyFigures {
  std::uint64_t connections = 0;             // accepted so far
  std::uint64_t cuts = 0;                    // connections that the proxy cut
  std::array<std::uint64_t, kWays> taken{};  // bytes
  std::array<std::uint64_t, kWays> given{};
};

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_NETWORK_CONDITIONS_H_
