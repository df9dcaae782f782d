// Snapshot: what the pages of the admin server show, read at one moment.
//
// Pages are functions of it, so a test can make one by hand. A value.

#ifndef CLUSTER_ADMIN_SNAPSHOT_H_
#define CLUSTER_ADMIN_SNAPSHOT_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cluster/config.h"
#include "cluster/stats.h"

namespace cluster::internal {

struct Snapshot {
  absl::Time at;
  int id = 0;
  std::string address;
  Config config;
  std::vector<int> peers;  // the members but this server, by id
  ServerStats stats;

  bool running() const { return stats.own.up; }
  const PeerStats* Find(int peer) const { return stats.Peer(peer); }
  // This server too.
  std::size_t members() const { return peers.size() + 1; }
  std::size_t members_up() const {
    std::size_t up = running() ? 1 : 0;
    for (const int peer : peers) {
      const PeerStats* const stats = Find(peer);
      if (stats != nullptr && stats->up) ++up;
    }
    return up;
  }
  // It runs, and reaches a majority.
  bool ready() const { return running() && 2 * members_up() > members(); }
};

}  // namespace cluster::internal

#endif  // CLUSTER_ADMIN_SNAPSHOT_H_
