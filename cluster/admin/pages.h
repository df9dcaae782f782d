// The pages of the admin server but for the metrics. Pure functions of a Snapshot.
//
// docs/operating.md has the schema of /status. Its "schema" grows when a member
// changes its meaning or goes; new members may come any time.

#ifndef CLUSTER_ADMIN_PAGES_H_
#define CLUSTER_ADMIN_PAGES_H_

#include <string>

#include "cluster/admin/snapshot.h"

namespace cluster::internal {

inline constexpr int kStatusSchema = 1;

std::string StatusPage(const Snapshot& snapshot);
std::string ConfigPage(const Snapshot& snapshot);
// "ready: 2 of 3 members up" and a line for each peer.
std::string ReadyPage(const Snapshot& snapshot);

}  // namespace cluster::internal

#endif  // CLUSTER_ADMIN_PAGES_H_
