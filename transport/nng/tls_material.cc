#include "transport/nng/tls_material.h"

#include <utility>

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

absl::Status NotPem(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("key file ", path, ": holds no ", what,
                   " in PEM, as bazel run @cluster//tools:keygen makes it"));
}

absl::Status CheckCertificate(const std::string& folder,
                              const std::string& certificate) {
  if (IsCertificate(certificate)) return absl::OkStatus();
  return NotPem(absl::StrCat(folder, "/", kTlsCertificateFile), "certificate");
}

}  // namespace

absl::Status TlsMaterial::ReadOwn(const std::string& folder) {
  auto key = ReadPrivateFile(folder, kTlsKeyFile);
  if (!key.ok()) return key.status();
  auto certificate = ReadPublicFile(folder, kTlsCertificateFile);
  if (!certificate.ok()) return certificate.status();
  own_.folder = folder;
  own_.key = *std::move(key);
  own_.certificate = *std::move(certificate);
  if (!IsPrivateKey(own_.key.text()))
    return NotPem(absl::StrCat(folder, "/", kTlsKeyFile), "private key");
  if (absl::Status status = CheckCertificate(folder, own_.certificate);
      !status.ok()) {
    return status;
  }
  if (IsPair(own_.key.text(), own_.certificate)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      folder, ": ", kTlsKeyFile, " and ", kTlsCertificateFile,
      " are not of one pair; copy both files again, as one run of bazel run "
      "@cluster//tools:keygen made them"));
}

absl::StatusOr<std::shared_ptr<TlsMaterial>> TlsMaterial::Read(
    const SecurityFiles& files, const std::string& cluster, int own_id) {
  std::shared_ptr<TlsMaterial> material(new TlsMaterial());
  absl::Status status = material->ReadOwn(files.identity);
  if (!status.ok()) return status;
  for (const auto& [id, folder] : files.peers) {
    if (id == own_id) continue;
    auto certificate = ReadPublicFile(folder, kTlsCertificateFile);
    if (!certificate.ok()) return certificate.status();
    status = CheckCertificate(folder, *certificate);
    if (!status.ok()) return status;
    Peer& peer = material->peers_[id];
    peer.folder = folder;
    peer.name = CertificateName(cluster, id);
    peer.certificate = *std::move(certificate);
  }
  return material;
}

// A configuration that shows the own certificate and asks for the other's.
absl::Status TlsMaterial::NewConfig(nng_tls_mode mode, Config* config) const {
  nng_tls_config* made = nullptr;
  int error = nng_tls_config_alloc(&made, mode);
  if (error != 0) return TlsError(error, own_.folder);
  config->reset(made);
  error = nng_tls_config_auth_mode(made, NNG_TLS_AUTH_MODE_REQUIRED);
  if (error == 0) {
    error = nng_tls_config_own_cert(made, own_.certificate.c_str(),
                                    own_.key.c_str(), nullptr);
  }
  if (error == 0) return absl::OkStatus();
  return TlsError(error, absl::StrCat(own_.folder, "/", kTlsKeyFile, " or ",
                                      kTlsCertificateFile));
}

absl::Status TlsMaterial::Trust(Peer* peer) {
  if (absl::Status status = NewConfig(NNG_TLS_MODE_CLIENT, &peer->dialer);
      !status.ok()) {
    return status;
  }
  const char* const pem = peer->certificate.c_str();
  int error = nng_tls_config_ca_chain(peer->dialer.get(), pem, nullptr);
  if (error == 0) error = nng_tls_config_ca_chain(listener(), pem, nullptr);
  if (error == 0) {
    error = nng_tls_config_server_name(peer->dialer.get(), peer->name.c_str());
  }
  if (error == 0) return absl::OkStatus();
  return TlsError(error, absl::StrCat(peer->folder, "/", kTlsCertificateFile));
}

absl::Status TlsMaterial::MakeConfigs() {
  if (listener_ != nullptr) return absl::OkStatus();
  absl::Status status = NewConfig(NNG_TLS_MODE_SERVER, &listener_);
  for (auto& entry : peers_) {
    if (status.ok()) status = Trust(&entry.second);
  }
  if (status.ok()) {
    own_.key = Secret();
  } else {
    listener_.reset();
  }
  return status;
}

absl::StatusOr<std::shared_ptr<const TlsMaterial>> TlsMaterial::Load(
    const SecurityFiles& files, const std::string& cluster, int own_id) {
  auto material = Read(files, cluster, own_id);
  if (!material.ok()) return material.status();
  if (absl::Status status = (*material)->MakeConfigs(); !status.ok())
    return status;
  return std::shared_ptr<const TlsMaterial>(*std::move(material));
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
