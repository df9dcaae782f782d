// The security of a Config: the rule that plaintext stays on this machine, and
// the key files as a transport wants them.
//
// What it is: what lies between the config's "security" and SecurityFiles
// (transport/security.h). What it is not: a look into a key file; the transport
// reads them, and names those that it cannot use.
//
// Internal to //cluster. Threads: functions without state. Errors: as below;
// each says where in the config and what to do.
//
//   absl::StatusOr<SecurityFiles> files = ResolveSecurity(config, 1);
//   if (files.ok()) status = transport->ReloadSecurity(*files);

#ifndef CLUSTER_CONFIG_SECURITY_H_
#define CLUSTER_CONFIG_SECURITY_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster/config.h"
#include "cluster/config/check.h"
#include "cluster/transport/security.h"

namespace cluster::internal {

// The keys that belong together, and kFailedPrecondition for a server that
// others than this machine reach without security.
absl::Status CheckSecurity(const Config& config, const ConfigPlaces& places);

// The folders of server `id` and its peers; a folder of peers is listed anew.
// Without the own id. kFailedPrecondition: security is not configured.
// kNotFound: the folder of peers cannot be listed.
absl::StatusOr<SecurityFiles> ResolveSecurity(const Config& config, int id);

}  // namespace cluster::internal

#endif  // CLUSTER_CONFIG_SECURITY_H_
