// The differences between the config of a running server and another one.
//
// A change is live if the server can make it while it runs: the declaration of the
// key says so (keys.h). Of its own entry in `servers` a server changes nothing, and
// what it needs not know of others is no change. Functions without state, internal
// to the library.
//
//   for (const ConfigChange& change : ChangesOf(running, wanted, 1))
//     std::cout << ToString(change) << "\n";

#ifndef CLUSTER_CONFIG_CHANGES_H_
#define CLUSTER_CONFIG_CHANGES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cluster/config.h"

namespace cluster::internal {

struct ConfigChange {
  std::string key;   // as PlaceOf takes it: "heartbeat_ms", "servers"
  std::string what;  // that, or the server: "server 4"
  std::string
      before;  // as the file has it; "none" for a server that is not there
  std::string after;
  bool live = false;
};

// "heartbeat_ms: 2000 -> 500", "server 4: none -> 127.0.0.1:10004".
std::string ToString(const ConfigChange& change);

// In the order of the keys. A member with port 0 in `after` stays where it is.
std::vector<ConfigChange> ChangesOf(const Config& before, const Config& after,
                                    int self_id);

// kFailedPrecondition: some are not live. The text has the place of each, and both
// values.
absl::Status CheckLive(const std::vector<ConfigChange>& changes,
                       const Config& after);

// The members of `after`, where those with port 0 keep the addresses that `before`
// has.
std::vector<ServerAddress> MembersOf(const Config& before, const Config& after);

// Copies the values of all live keys but `servers`.
void CopyLiveKeys(const Config& from, Config* to);

}  // namespace cluster::internal

#endif  // CLUSTER_CONFIG_CHANGES_H_
