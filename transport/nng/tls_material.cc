#include "transport/nng/tls_material.h"

#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "transport/key_files.h"
#include "transport/nng/key_pair.h"

namespace cluster {
namespace nng {
namespace {

absl::Status TlsError(int error, const std::string& path) {
  if (error == NNG_ENOTSUP) {
    return absl::UnimplementedError("this build of nng has no TLS");
  }
  return absl::InvalidArgumentError(
      absl::StrCat("key file ", path,
                   ": the TLS engine does not take it: ", nng_strerror(error)));
}

struct Own {
  std::string folder;
  std::string certificate;
  Secret key;
};

absl::Status ReadOwn(const std::string& folder, Own* own) {
  auto key = ReadPrivateFile(folder, kNngKeyFile);
  if (!key.ok()) return key.status();
  auto certificate = ReadPublicFile(folder, kNngCertificateFile);
  if (!certificate.ok()) return certificate.status();
  own->folder = folder;
  own->key = *std::move(key);
  own->certificate = *std::move(certificate);
  return absl::OkStatus();
}

absl::Status CheckPair(const Own& own) {
  if (IsPair(own.key.text(), own.certificate)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      own.folder, ": ", kNngKeyFile, " and ", kNngCertificateFile,
      " are not of one pair; copy both files again, as one run of bazel run "
      "@cluster//tools:keygen made them"));
}

// A configuration that shows the own certificate and asks for the other's.
absl::Status NewConfig(nng_tls_mode mode, const Own& own,
                       nng_tls_config** config) {
  int error = nng_tls_config_alloc(config, mode);
  if (error != 0) return TlsError(error, own.folder);
  error = nng_tls_config_auth_mode(*config, NNG_TLS_AUTH_MODE_REQUIRED);
  if (error == 0) {
    error = nng_tls_config_own_cert(*config, own.certificate.c_str(),
                                    own.key.c_str(), nullptr);
  }
  if (error == 0) return absl::OkStatus();
  nng_tls_config_free(*config);
  return TlsError(error, absl::StrCat(own.folder, "/", kNngKeyFile, " or ",
                                      kNngCertificateFile));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TlsMaterial>> TlsMaterial::Load(
    const SecurityFiles& files, const std::string& cluster, int own_id) {
  Own own;
  absl::Status status = ReadOwn(files.identity, &own);
  if (!status.ok()) return status;
  auto material = absl::WrapUnique(new TlsMaterial());
  nng_tls_config* made = nullptr;
  status = NewConfig(NNG_TLS_MODE_SERVER, own, &made);
  if (!status.ok()) return status;
  material->listener_.reset(made);
  // After the engine, which says better what is wrong with one of the two.
  status = CheckPair(own);
  if (!status.ok()) return status;
  for (const auto& entry : files.peers) {
    if (entry.first == own_id) continue;
    Peer& peer = material->peers_[entry.first];
    const std::string path =
        absl::StrCat(entry.second, "/", kNngCertificateFile);
    auto certificate = ReadPublicFile(entry.second, kNngCertificateFile);
    if (!certificate.ok()) return certificate.status();
    peer.certificate = *std::move(certificate);
    status = NewConfig(NNG_TLS_MODE_CLIENT, own, &made);
    if (!status.ok()) return status;
    peer.dialer.reset(made);
    const char* const pem = peer.certificate.c_str();
    int error = nng_tls_config_ca_chain(made, pem, nullptr);
    if (error == 0) {
      error = nng_tls_config_ca_chain(material->listener(), pem, nullptr);
    }
    if (error == 0) {
      error = nng_tls_config_server_name(
          made, CertificateName(cluster, entry.first).c_str());
    }
    if (error != 0) return TlsError(error, path);
  }
  return std::shared_ptr<const TlsMaterial>(std::move(material));
}

nng_tls_config* TlsMaterial::dialer(int peer) const {
  const auto found = peers_.find(peer);
  return found == peers_.end() ? nullptr : found->second.dialer.get();
}

std::set<int> TlsMaterial::Peers() const {
  std::set<int> peers;
  for (const auto& entry : peers_) peers.insert(entry.first);
  return peers;
}

std::set<int> TlsMaterial::RevokedSince(const TlsMaterial& older) const {
  std::set<int> revoked;
  for (const auto& entry : older.peers_) {
    const auto found = peers_.find(entry.first);
    if (found == peers_.end() ||
        found->second.certificate != entry.second.certificate) {
      revoked.insert(entry.first);
    }
  }
  return revoked;
}

}  // namespace nng
}  // namespace cluster
