// Security: what a transport is told about keys, and what it tells of those
// that it turned away.
//
// What it is: the words that the interface (transport.h) uses for both
// backends' mechanisms: CURVE for zmq, mutual TLS for nng. What it is not: a
// mechanism, or the keys themselves: those stay in files, and no text of this
// library holds any of their bytes.
//
// Threads and ownership: values. Errors: the two functions make them, so that
// every backend says the same.
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
#include "absl/types/optional.h"
#include "cluster/transport/refusal_reason.h"

namespace cluster {

// Folders of key files, as tools/keygen makes them.
struct SecurityFiles {
  std::string identity;              // with the own private files
  std::map<int, std::string> peers;  // by server id, with the peer's public
                                     // files; who is not here is let in by
                                     // nobody
};

// A connection or message that the transport itself turned away.
struct Rejection {
  RefusalReason kind = RefusalReason::kUnauthenticated;
  absl::optional<int> peer;  // whom it proved or claimed to be, if it did
  std::string reason;        // for people
};

// "unauthenticated, as server 2: ..."
std::ostream& operator<<(std::ostream& out, const Rejection& rejection);

// What a factory answers whose transport has no security, when it is asked for.
// kInvalidArgument.
absl::Status SecurityUnsupported(absl::string_view transport);

// What ReloadSecurity answers where there is none. kFailedPrecondition.
absl::Status SecurityNotConfigured();

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_SECURITY_H_
