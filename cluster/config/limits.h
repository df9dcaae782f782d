// Bounds of what a config holds that no key of it states (keys.h).

#ifndef CLUSTER_CONFIG_LIMITS_H_
#define CLUSTER_CONFIG_LIMITS_H_

#include <cstddef>

namespace cluster::internal {

inline constexpr std::size_t kConfigFileBytesMax = 4u << 20;
inline constexpr std::size_t kServersMax = 10000;
inline constexpr std::size_t kConfigClusterBytesMax = 255;
inline constexpr std::size_t kBackendNameBytesMax = 64;
// Room for a host of 253 bytes or an ipc path, and for a stranger's own form.
inline constexpr std::size_t kAddressBytesMax = 512;
inline constexpr std::size_t kOptionBytesMax = 4096;

}  // namespace cluster::internal

#endif  // CLUSTER_CONFIG_LIMITS_H_
