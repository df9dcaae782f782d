// TlsMaterial: the key files of a server, read and made into TLS
// configurations: one to accept with, one to dial each peer with.
//
// It is mutual TLS 1.2 by nng's engine. A listener asks for a certificate and
// takes those of the peers, no others; which one it was, nng does not tell. A
// dialler takes the one certificate of the peer that it dials, and only if it
// has that peer's name.
//
// Read only reads and checks; MakeConfigs starts nng, which has threads from
// then on and cannot be used in a child of fork. Both before it is shared; then
// it never changes, and rotation makes another one. The private key's text is
// wiped as soon as the engine has it. Errors name the file, and hold none of
// its bytes.
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
#include "transport/key_files.h"
#include "transport/security.h"

namespace cluster {
namespace nng {

class TlsMaterial {
 public:
  // As transport/key_files.h; kInvalidArgument also where a file holds no key
  // or certificate, and where the own ones are not of one pair.
  static absl::StatusOr<std::shared_ptr<TlsMaterial>> Read(
      const SecurityFiles& files, const std::string& cluster, int own_id);
  // kInvalidArgument: TLS does not take what a file holds. Idempotent.
  absl::Status MakeConfigs();
  // The two in one.
  static absl::StatusOr<std::shared_ptr<const TlsMaterial>> Load(
      const SecurityFiles& files, const std::string& cluster, int own_id);

  // Borrowed; null before MakeConfigs.
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
  struct Own {
    std::string folder;
    std::string certificate;
    Secret key;
  };
  struct Peer {
    std::string folder;
    std::string name;  // in the certificate
    std::string certificate;
    Config dialer;
  };

  TlsMaterial() = default;
  absl::Status ReadOwn(const std::string& folder);
  absl::Status NewConfig(nng_tls_mode mode, Config* config) const;
  absl::Status Trust(Peer* peer);

  Own own_;
  Config listener_;
  std::map<int, Peer> peers_;
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_TLS_MATERIAL_H_
