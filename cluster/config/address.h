// Whether other servers can be told to dial an address.
//
// They do not look at the network, and do not judge what only a transport of
// the caller's own understands. Threads: functions.
//
//   absl::Status status = CheckNewPeer(config, 2, "127.0.0.1:10002", "");

#ifndef CLUSTER_CONFIG_ADDRESS_H_
#define CLUSTER_CONFIG_ADDRESS_H_

#include <string>

#include "absl/status/status.h"
#include "cluster/config.h"

namespace cluster::internal {

// kInvalidArgument: `address "...": ` and what is wrong with it. Port 0, not
// known yet, is none.
absl::Status CheckPeerAddress(const Config& config, const std::string& text);

// The same, and that no other server of the config is there, nor the one that
// listens at `own_bound` (empty: it does not yet): what the reader of a config
// checks of its servers, for server `id` that comes later.
absl::Status CheckNewPeer(const Config& config, int id, const std::string& text,
                          const std::string& own_bound);

}  // namespace cluster::internal

#endif  // CLUSTER_CONFIG_ADDRESS_H_
