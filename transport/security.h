// SecurityFiles: where a transport finds its keys. PinnedCertificate: one that it
// found there. Rejection: a connection or message that it turned away.
//
// All backends use these words for their mechanisms: CURVE for zmq, mutual TLS
// for nng and tcp. The keys stay in their files; no text of this library holds any of
// their bytes. The two functions make the errors that every backend returns.
//
//   cluster::SecurityFiles files;
//   files.identity = "keys/1";
//   files.peers = {{2, "keys/public/2"}, {3, "keys/public/3"}};

#ifndef CLUSTER_TRANSPORT_SECURITY_H_
#define CLUSTER_TRANSPORT_SECURITY_H_

#include <map>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cluster/export.h"
#include "cluster/transport/refusal_reason.h"

namespace cluster {

// Folders of key files, as tools/keygen makes them.
struct SecurityFiles {
  std::string identity;              // with the own private files
  std::map<int, std::string> peers;  // by server id, with the peer's public
                                     // files; no other server is let in
};

// A connection or message that the transport itself turned away.
struct Rejection {
  RefusalReason kind = RefusalReason::kUnauthenticated;
  absl::optional<int> peer;  // whom it proved or claimed to be, if it did
  std::string reason;        // for people
};

// A certificate that proves a server of the cluster, or this server itself.
struct PinnedCertificate {
  int server = 0;
  std::string name;  // that it is made out to, for people: "server-2.demo"
  std::string file;
  absl::Time valid_from;
  absl::Time valid_until;
};

// "unauthenticated, as server 2: ..."
CLUSTER_EXPORT std::ostream& operator<<(std::ostream& out,
                                        const Rejection& rejection);

// For the factory of a transport without security, when the config wants it.
// kInvalidArgument.
CLUSTER_EXPORT absl::Status SecurityUnsupported(absl::string_view transport);

// For ReloadSecurity of a transport in plaintext. kFailedPrecondition.
CLUSTER_EXPORT absl::Status SecurityNotConfigured();

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_SECURITY_H_
