// AdminServer: the state of a running Server over HTTP, for operators and their
// tools.
//
//   /metrics   Prometheus' text form
//   /healthz   200 while the server runs
//   /readyz    200 while it reaches a majority of the members; each in the body
//   /status    all figures in JSON; docs/operating.md has the schema
//   /config    the config in use, in JSON, without paths of secrets
//   /probe?peer=ID  measures a round trip to that peer; /status has it then
//
// It only reads. It listens on loopback or a unix socket; elsewhere only with a
// token file. With one, every request but those to /healthz and /readyz needs the
// header "Authorization: Bearer TOKEN". Without `certificate_file` the token and
// the answers travel in plaintext. A request whose Host is a name that this
// server does not know is refused: a web page may have made it.
//
// One thread answers, at a low priority, from figures that it reads at most ten
// times a second. So no client delays the server. The server outlives it.
// Thread-safe. In a child of fork it does nothing.
//
//   AdminOptions options;
//   options.address = "127.0.0.1:9101";
//   auto admin = AdminServer::Start(*server, options);
//   if (!admin.ok()) std::cerr << admin.status() << "\n";

#ifndef CLUSTER_ADMIN_ADMIN_SERVER_H_
#define CLUSTER_ADMIN_ADMIN_SERVER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster/server.h"

namespace cluster {

struct AdminOptions {
  // "127.0.0.1:9101", "[::1]:0" or "ipc:///run/cluster/1.sock".
  std::string address;
  // A file with the token alone, of 16 to 512 characters without spaces; nobody
  // else may read it. "": no token.
  std::string token_file;
  // PEM; set both or none. keygen's tls.crt and tls.key will do.
  std::string certificate_file;
  std::string key_file;
  // Names under which clients know this host, beside localhost.
  std::vector<std::string> hosts;
};

class AdminServer {
 public:
  // kInvalidArgument: the address, or a key that does not fit its certificate.
  // kFailedPrecondition: other machines would reach it, and there is no token.
  // kPermissionDenied: others may read the token or the key. kNotFound: a file is
  // missing. kAlreadyExists: the address is in use.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(
      Server& server, const AdminOptions& options);
  virtual ~AdminServer() = default;

  // Where it listens, port resolved.
  virtual std::string Address() const = 0;
  // Reads the token file again. After an error the old token stays.
  virtual absl::Status ReloadToken() = 0;
};

}  // namespace cluster

#endif  // CLUSTER_ADMIN_ADMIN_SERVER_H_
