// CheckPeerAddress: whether the other servers can be told to dial an address.
//
// Threads: a function. What it is not: a look at the network, or a judge of
// what only a transport of the caller's own understands.
//
//   absl::Status status = CheckPeerAddress(config, "127.0.0.1:10002");

#ifndef CLUSTER_CONFIG_ADDRESS_H_
#define CLUSTER_CONFIG_ADDRESS_H_

#include <string>

#include "absl/status/status.h"
#include "cluster/config.h"

namespace cluster {

// kInvalidArgument: `address "...": ` and what is wrong with it. Port 0, not
// known yet, is none.
absl::Status CheckPeerAddress(const Config& config, const std::string& text);

}  // namespace cluster

#endif  // CLUSTER_CONFIG_ADDRESS_H_
