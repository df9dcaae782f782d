#include "cluster/transport/tls_material.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "cluster/transport/key_files.h"

namespace cluster::internal {
namespace {

constexpr char kCopyAgain[] =
    "; copy the files again, as bazel run @cluster//tools:keygen made them";

// Of which a peer sends its own before it is known.
constexpr long kCertificateBytesMax = 32L << 10;
constexpr std::size_t kShownNameBytesMax = 80;

using Bio = std::unique_ptr<BIO, OpensslFree>;

Bio Reader(absl::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL's own asks on the terminal.
int NoPassword(char*, int, int, void*) { return -1; }

// Where both are there the new names count.
bool HasOldNames(const std::string& folder) {
  struct stat info;
  const auto exists = [&](const char* file) {
    return stat(absl::StrCat(folder, "/", file).c_str(), &info) == 0;
  };
  return !exists(kTlsCertificateFile) && exists(kOldTlsCertificateFile);
}

absl::Status BadFile(const std::string& path, absl::string_view what) {
  // The thread's next use of OpenSSL would take what is left in its queue for an
  // error of its own.
  ERR_clear_error();
  return absl::InvalidArgumentError(
      absl::StrCat("key file ", path, ": ", what, kCopyAgain));
}

std::string Der(X509* certificate) {
  const int bytes = i2d_X509(certificate, nullptr);
  std::string der(static_cast<std::size_t>(bytes > 0 ? bytes : 0), '\0');
  auto* to = reinterpret_cast<unsigned char*>(&der[0]);
  if (bytes > 0) i2d_X509(certificate, &to);
  return der;
}

// "server-1.demo". A stranger may have put anything there.
std::string NameOf(X509* certificate) {
  char name[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                            name, sizeof name);
  const std::string shown = absl::CHexEscape(name);
  return shown.empty() ? "nobody" : shown.substr(0, kShownNameBytesMax);
}

std::string DateText(const ASN1_TIME* time) {
  std::tm date{};
  char text[64] = "a date that is none";
  if (ASN1_TIME_to_tm(time, &date) == 1) {
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &date);
  }
  return text;
}

// With a date that OpenSSL cannot read, a certificate is never valid.
absl::Time TimeOf(const ASN1_TIME* time, bool is_end) {
  std::tm date{};
  if (ASN1_TIME_to_tm(time, &date) == 1)
    return absl::FromTM(date, absl::UTCTimeZone());
  return is_end ? absl::InfinitePast() : absl::InfiniteFuture();
}

// OpenSSL's error for a certificate out of its time, or X509_V_OK.
int TimeError(X509* certificate) {
  // Of what can not be compared too.
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0) {
    return X509_V_ERR_CERT_HAS_EXPIRED;
  }
  return X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0
             ? X509_V_OK
             : X509_V_ERR_CERT_NOT_YET_VALID;
}

std::string TimeText(X509* certificate, int error) {
  if (error == X509_V_ERR_CERT_HAS_EXPIRED) {
    return absl::StrCat("(", NameOf(certificate), ") expired on ",
                        DateText(X509_get0_notAfter(certificate)));
  }
  return absl::StrCat("(", NameOf(certificate), ") is not valid before ",
                      DateText(X509_get0_notBefore(certificate)));
}

// Of a name as CertificateName makes them what follows the id: "demo". Else "".
std::string ClusterLabel(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, "server-")) return "";
  const std::size_t id_bytes = name.find_first_not_of("0123456789");
  if (id_bytes == 0 || id_bytes == absl::string_view::npos) return "";
  name.remove_prefix(id_bytes);
  return absl::ConsumePrefix(&name, ".") ? std::string(name) : "";
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TlsMaterial>> TlsMaterial::Load(
    const SecurityFiles& files, const std::string& cluster, int own_id) {
  // At exit OpenSSL would free what a server still uses: a static one, or one
  // whose handler calls exit. Without effect if the program has begun to use it.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  auto material = absl::WrapUnique(new TlsMaterial());
  material->cluster_ = cluster;
  material->own_id_ = own_id;
  absl::Status status = material->MakeContext();
  if (status.ok()) status = material->LoadOwn(files.identity);
  for (const auto& entry : files.peers) {
    if (!status.ok()) return status;
    if (entry.first == own_id) continue;
    absl::StatusOr<CertificateFile> file = ReadCertificates(entry.second);
    if (!file.ok()) return file.status();
    status = material->PinAll(entry.first, *std::move(file));
  }
  if (!status.ok()) return status;
  return std::shared_ptr<const TlsMaterial>(std::move(material));
}

absl::Status TlsMaterial::MakeContext() {
  // Otherwise exit, called while a server runs, would pull OpenSSL away from under
  // the threads that use it.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  context_.reset(SSL_CTX_new(TLS_method()));
  SSL_CTX* const context = context_.get();
  if (context == nullptr ||
      SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context,
                               "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                               "TLS_CHACHA20_POLY1305_SHA256") != 1 ||
      // A ticket that the dialler has not read would turn a close into a reset,
      // which takes frames with it.
      SSL_CTX_set_num_tickets(context, 0) != 1) {
    ERR_clear_error();
    return absl::UnimplementedError("this build of OpenSSL has no TLS 1.3");
  }
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_max_cert_list(context, kCertificateBytesMax);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     nullptr);
  SSL_CTX_set_cert_verify_callback(context, &TlsMaterial::Verify, nullptr);
  return absl::OkStatus();
}

absl::StatusOr<TlsMaterial::CertificateFile> TlsMaterial::ReadCertificates(
    const std::string& folder) {
  const char* const name =
      HasOldNames(folder) ? kOldTlsCertificateFile : kTlsCertificateFile;
  const absl::StatusOr<std::string> text = ReadPublicFile(folder, name);
  if (!text.ok()) return text.status();
  CertificateFile file{absl::StrCat(folder, "/", name), {}};
  const Bio reader = Reader(*text);
  while (X509* const read =
             PEM_read_bio_X509(reader.get(), nullptr, &NoPassword, nullptr)) {
    file.certificates.emplace_back(read);
  }
  const bool at_end =
      ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!file.certificates.empty() && at_end) return file;
  return BadFile(file.path, "holds what is no certificate in PEM");
}

absl::Status TlsMaterial::LoadOwn(const std::string& folder) {
  const char* const key_name =
      HasOldNames(folder) ? kOldTlsKeyFile : kTlsKeyFile;
  const absl::StatusOr<Secret> key_text = ReadPrivateFile(folder, key_name);
  if (!key_text.ok()) return key_text.status();
  absl::StatusOr<CertificateFile> file = ReadCertificates(folder);
  if (!file.ok()) return file.status();
  const std::string key_path = absl::StrCat(folder, "/", key_name);
  const Bio key_reader = Reader(key_text->text());
  const std::unique_ptr<EVP_PKEY, OpensslFree> key(
      PEM_read_bio_PrivateKey(key_reader.get(), nullptr, &NoPassword, nullptr));
  if (key == nullptr) return BadFile(key_path, "holds no private key in PEM");

  // The first is shown to peers.
  X509* const own = file->certificates.front().get();
  if (X509_check_private_key(own, key.get()) != 1) {
    return BadFile(key_path,
                   absl::StrCat("it and ", file->path, " are not of one pair"));
  }
  const absl::Status status = CheckOwn(own, file->path);
  if (!status.ok()) return status;
  if (SSL_CTX_use_certificate(context_.get(), own) != 1 ||
      SSL_CTX_use_PrivateKey(context_.get(), key.get()) != 1) {
    return BadFile(file->path, "OpenSSL does not take it: its key is too weak");
  }
  // Pinned too, so that no peer is given one of them.
  return PinAll(own_id_, *std::move(file));
}

absl::Status TlsMaterial::CheckOwn(X509* own, const std::string& path) const {
  const int error = TimeError(own);
  if (error != X509_V_OK) {
    return BadFile(
        path, absl::StrCat("this server's certificate ", TimeText(own, error),
                           ", so no peer would take it"));
  }
  const std::string name = CertificateName(cluster_, own_id_);
  if (X509_check_host(own, name.data(), name.size(),
                      X509_CHECK_FLAG_NO_WILDCARDS, nullptr) == 1) {
    return absl::OkStatus();
  }
  return BadFile(path, absl::StrCat("it is made out to ", NameOf(own),
                                    ", and this server is ", name));
}

absl::Status TlsMaterial::PinAll(int id, CertificateFile file) {
  for (Certificate& certificate : file.certificates) {
    const std::string der = Der(certificate.get());
    const Pin& pin =
        pins_.emplace(der, Pin{id, file.path, std::move(certificate)})
            .first->second;
    if (pin.id == id) continue;
    return BadFile(file.path,
                   absl::StrCat("server ", id, " has the certificate (",
                                NameOf(pin.certificate.get()), ") of server ",
                                pin.id, " (", pin.path,
                                "), and a certificate says who its server is"));
  }
  return absl::OkStatus();
}

absl::optional<int> TlsMaterial::IdOf(const std::string& certificate) const {
  const auto found = pins_.find(certificate);
  if (found == pins_.end()) return absl::nullopt;
  return found->second.id;
}

bool TlsMaterial::Knows(int id) const {
  const auto is_of_id = [id](const auto& pin) { return pin.second.id == id; };
  return id != own_id_ && std::any_of(pins_.begin(), pins_.end(), is_of_id);
}

std::vector<PinnedCertificate> TlsMaterial::Certificates() const {
  std::vector<PinnedCertificate> certificates;
  for (const auto& [der, pin] : pins_) {
    X509* const one = pin.certificate.get();
    certificates.push_back({pin.id, NameOf(one), pin.path,
                            TimeOf(X509_get0_notBefore(one), false),
                            TimeOf(X509_get0_notAfter(one), true)});
  }
  return certificates;
}

int TlsMaterial::Verify(X509_STORE_CTX* store, void* /*ignored*/) {
  auto* const ssl = static_cast<SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* const judgement = static_cast<Judgement*>(SSL_get_app_data(ssl));
  X509* const certificate = X509_STORE_CTX_get0_cert(store);
  int error = X509_V_ERR_UNSPECIFIED;
  if (judgement != nullptr && certificate != nullptr) {
    error = judgement->material->Judge(certificate, judgement);
  }
  X509_STORE_CTX_set_error(store, error);
  return error == X509_V_OK ? 1 : 0;
}

// Each error has an alert of its own, from which the peer's TlsSession reads the
// reason.
int TlsMaterial::Judge(X509* certificate, Judgement* judgement) const {
  judgement->certificate = Der(certificate);
  const absl::optional<int> id = IdOf(judgement->certificate);
  const std::string name = NameOf(certificate);
  if (!id) {
    const std::string label = ClusterLabel(name);
    if (!label.empty() && label != ClusterLabel(CertificateName(cluster_, 0))) {
      judgement->refusal = absl::StrCat(
          "its certificate is of another cluster: it is made out to ", name,
          ", and this server is ", CertificateName(cluster_, own_id_));
      return X509_V_ERR_INVALID_PURPOSE;
    }
    judgement->refusal =
        absl::StrCat("its certificate (", name, ") is unknown to this server");
    return X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
  }
  if (*id == own_id_) {
    judgement->refusal = absl::StrCat(
        "it has the certificate (", name,
        ") of this server itself: two processes use the keys of one server");
    return X509_V_ERR_PERMITTED_VIOLATION;
  }
  if (judgement->wanted && *judgement->wanted != *id) {
    judgement->refusal =
        absl::StrCat("its certificate is server ", *id, "'s, and server ",
                     *judgement->wanted, " was dialled");
    return X509_V_ERR_PERMITTED_VIOLATION;
  }
  const int error = TimeError(certificate);
  if (error != X509_V_OK) {
    judgement->refusal =
        absl::StrCat("its certificate ", TimeText(certificate, error));
    return error;
  }
  judgement->identity = id;
  return X509_V_OK;
}

}  // namespace cluster::internal
