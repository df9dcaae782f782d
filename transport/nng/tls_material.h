// TlsMaterial: the key files of a server, read and made into TLS
// configurations: one to accept with, one to dial each peer with.
//
// What it is: mutual TLS 1.2 by nng's engine. A listener asks for a certificate
// and takes those of the peers, no others; which one it was, nng does not tell.
// A dialler takes the one certificate of the peer that it dials, and only if it
// has that peer's name.
// What it is not: changed once it is made; rotation makes another one.
//
// Threads: any, once loaded. Ownership: shared; connections keep what they use.
// The private key's text is wiped as soon as the engine has it. Errors: of
// Load; each names the file, and none holds any of its bytes.
//
//   auto material = TlsMaterial::Load(files, "demo", 1);
//   nng_tls_config* config = (*material)->dialer(2);

#ifndef TRANSPORT_NNG_TLS_MATERIAL_H_
#define TRANSPORT_NNG_TLS_MATERIAL_H_

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "transport/security.h"

namespace cluster {
namespace nng {

class TlsMaterial {
 public:
  // As transport/key_files.h; kInvalidArgument also where TLS does not take
  // what a file holds, and where the own key and certificate are not of one
  // pair.
  static absl::StatusOr<std::shared_ptr<const TlsMaterial>> Load(
      const SecurityFiles& files, const std::string& cluster, int own_id);

  // Borrowed.
  nng_tls_config* listener() const { return listener_.get(); }
  nng_tls_config* dialer(int peer) const;  // null: the peer is not listed

  std::set<int> Peers() const;

  // Those that may not go on with what `older` let them: not listed any more,
  // or of another certificate.
  std::set<int> RevokedSince(const TlsMaterial& older) const;

 private:
  struct FreeConfig {
    void operator()(nng_tls_config* config) const {
      nng_tls_config_free(config);
    }
  };
  using Config = std::unique_ptr<nng_tls_config, FreeConfig>;
  struct Peer {
    std::string certificate;
    Config dialer;
  };

  TlsMaterial() = default;

  Config listener_;
  std::map<int, Peer> peers_;
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_TLS_MATERIAL_H_
