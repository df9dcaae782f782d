// TlsMaterial: a server's key files, read and made into the TLS of all its byte
// streams. That is mutual TLS 1.3 on OpenSSL, without tickets, early data or
// renegotiation.
//
// A certificate proves the id for which it is pinned, byte for byte. Chains and
// names do not count, so a pinned certificate vouches for itself alone. During a
// change of keys a file may hold several certificates, one behind the other.
// Immutable and shared; a reload makes another one. OpenSSL holds the private
// key, and wipes it.
//
//   auto material = TlsMaterial::Load(files, "demo", 1);

#ifndef CLUSTER_TRANSPORT_TLS_MATERIAL_H_
#define CLUSTER_TRANSPORT_TLS_MATERIAL_H_

#include <openssl/ssl.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "cluster/transport/security.h"

namespace cluster::internal {

// Frees what is OpenSSL's.
struct OpensslFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};

class TlsMaterial {
 public:
  // The question of a handshake about the peer's certificate, and the answer. A
  // session lends it to its SSL object as app data.
  struct Judgement {
    const TlsMaterial* material = nullptr;
    absl::optional<int> wanted;    // the only server that is taken; none: any
    absl::optional<int> identity;  // of a certificate that is taken
    std::string certificate;       // in DER
    std::string refusal;           // why it is not taken, for people
  };

  // Errors as in transport/key_files.h. Also kInvalidArgument: a file without a
  // key or certificate, or one certificate under two ids. Or no peer would take
  // the own certificate: it is expired, not valid yet, without its key, or made
  // out to another server or cluster.
  static absl::StatusOr<std::shared_ptr<const TlsMaterial>> Load(
      const SecurityFiles& files, const std::string& cluster, int own_id);

  // The server that a certificate (in DER) is pinned for.
  absl::optional<int> IdOf(const std::string& certificate) const;
  // Whether this server is a peer.
  bool Knows(int id) const;

  // All that are pinned. That one of a peer is out of its time is no error of
  // Load: the other peers may connect.
  std::vector<PinnedCertificate> Certificates() const;

  SSL_CTX* context() const { return context_.get(); }

 private:
  using Certificate = std::unique_ptr<X509, OpensslFree>;
  struct CertificateFile {
    std::string path;
    std::vector<Certificate> certificates;  // at least one
  };
  struct Pin {
    int id = 0;
    std::string path;
    Certificate certificate;
  };

  TlsMaterial() = default;

  static absl::StatusOr<CertificateFile> ReadCertificates(
      const std::string& folder);
  absl::Status MakeContext();
  absl::Status LoadOwn(const std::string& folder);
  absl::Status CheckOwn(X509* own, const std::string& path) const;
  absl::Status PinAll(int id, CertificateFile file);

  // OpenSSL's callback: 1, or 0 with an error that decides the alert.
  static int Verify(X509_STORE_CTX* store, void* ignored);
  int Judge(X509* certificate, Judgement* judgement) const;

  std::string cluster_;
  int own_id_ = 0;
  std::unique_ptr<SSL_CTX, OpensslFree> context_;
  std::map<std::string, Pin> pins_;  // by certificate in DER, the own one too
};

}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_TLS_MATERIAL_H_
