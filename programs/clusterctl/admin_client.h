// AdminClient: asks the admin servers that a config lists, all at once.
//
// A token goes only over loopback, a unix socket or TLS. TLS pins the certificate
// that the config names: no authority vouches for another. Proxies of the
// environment are not used. One thread. It blocks for at most the timeout.
//
//   AdminClient client(config, AdminClient::Options());
//   for (const AdminAnswer& answer : client.Get({1, 2}, "/status")) ...

#ifndef PROGRAMS_CLUSTERCTL_ADMIN_CLIENT_H_
#define PROGRAMS_CLUSTERCTL_ADMIN_CLIENT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cluster/config.h"

namespace cluster {

struct AdminAnswer {
  int id = 0;
  // kNotFound: the config lists no admin server of it. kUnavailable: nobody
  // answers. kUnauthenticated: the token. kFailedPrecondition: the token would
  // travel in plaintext.
  absl::Status status;
  int code = 0;      // of HTTP
  std::string body;  // foreign text
};

class AdminClient {
 public:
  struct Options {
    absl::Duration timeout = absl::Seconds(3);
    std::string token_file{};   // instead of the config's
    std::string certificate{};  // instead of the config's
  };

  AdminClient(Config config, Options options);
  AdminClient(const AdminClient&) = delete;
  AdminClient& operator=(const AdminClient&) = delete;
  ~AdminClient();

  // The answers in the order of the ids. The path begins with "/". An answer of
  // an error code is an error, but for 503 of /readyz.
  std::vector<AdminAnswer> Get(const std::vector<int>& ids,
                               absl::string_view path);

 private:
  const Config config_;
  const Options options_;
};

}  // namespace cluster

#endif  // PROGRAMS_CLUSTERCTL_ADMIN_CLIENT_H_
