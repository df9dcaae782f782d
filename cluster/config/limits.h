// What a Config's numbers may be: one table for the reader and the validation.
//
// Internal to //cluster:config. Threads: constants.

#ifndef CLUSTER_CONFIG_LIMITS_H_
#define CLUSTER_CONFIG_LIMITS_H_

#include <cstddef>
#include <cstdint>
#include <limits>

#include "absl/time/time.h"
#include "cluster/config.h"

namespace cluster {

inline constexpr std::size_t kConfigFileBytesMax = 4u << 20;
inline constexpr std::size_t kServersMax = 10000;
inline constexpr std::size_t kConfigClusterBytesMax = 255;
inline constexpr std::size_t kBackendNameBytesMax = 64;
// Room for a host of 253 bytes or an ipc path, and for a stranger's own form.
inline constexpr std::size_t kAddressBytesMax = 512;
inline constexpr std::size_t kOptionBytesMax = 4096;

// The keys that only the reliable delivery has.
enum class Scope { kBoth, kReliable };

struct SizeLimit {
  const char* key;
  std::size_t Config::*field;
  std::uint64_t least;
  std::uint64_t most;
  Scope scope;
};

inline constexpr std::uint64_t kKiB = 1u << 10;
inline constexpr std::uint64_t kMiB = 1u << 20;
inline constexpr std::uint64_t kGiB = 1u << 30;

inline constexpr SizeLimit kSizeLimits[] = {
    {"frame_bytes", &Config::frame_bytes, 512, 4 * kMiB, Scope::kReliable},
    {"inflight_bytes", &Config::inflight_bytes, 512, kGiB, Scope::kReliable},
    {"window_bytes", &Config::window_bytes, 512, kGiB, Scope::kReliable},
    {"queue_bytes_max", &Config::queue_bytes_max, 512, 64 * kGiB,
     Scope::kReliable},
    {"payload_bytes_max", &Config::payload_bytes_max, 1, kGiB, Scope::kBoth},
    {"memory_bytes_max", &Config::memory_bytes_max, 64 * kKiB, 1024 * kGiB,
     Scope::kReliable},
    {"inbox_bytes_max", &Config::inbox_bytes_max, kKiB, 64 * kGiB,
     Scope::kBoth},
};
static_assert(sizeof(std::size_t) == 8, "byte limits go up to 1 TiB");

struct TimeLimit {
  const char* key;
  absl::Duration Config::*field;
  std::int64_t least_ms;
  std::int64_t most_ms;
  Scope scope;
};

inline constexpr std::int64_t kMinuteMs = 60 * 1000;

inline constexpr TimeLimit kTimeLimits[] = {
    {"heartbeat_ms", &Config::heartbeat, 10, 10 * kMinuteMs, Scope::kReliable},
    {"peer_timeout_ms", &Config::peer_timeout, 20, 60 * kMinuteMs,
     Scope::kReliable},
    {"handshake_timeout_ms", &Config::handshake_timeout, 10, 10 * kMinuteMs,
     Scope::kBoth},
    {"linger_ms", &Config::linger, 0, 10 * kMinuteMs, Scope::kBoth},
};

}  // namespace cluster

#endif  // CLUSTER_CONFIG_LIMITS_H_
