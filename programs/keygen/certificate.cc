#include "programs/keygen/certificate.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace cluster {
namespace {

constexpr long kSecondsPerDay = 24 * 60 * 60;
constexpr int kSerialBits = 127;

template <typename T, void (*free_function)(T*)>
struct Free {
  void operator()(T* object) const { free_function(object); }
};
void FreeBio(BIO* bio) { BIO_free(bio); }

using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509, X509_free>>;
using Extension =
    std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION, X509_EXTENSION_free>>;
using Number = std::unique_ptr<BIGNUM, Free<BIGNUM, BN_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO, FreeBio>>;

bool SetSerial(X509* certificate) {
  const Number serial(BN_new());
  return serial != nullptr &&
         BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY,
                 BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) !=
             nullptr;
}

bool SetName(X509* certificate, const std::string& name) {
  X509_NAME* const subject = X509_get_subject_name(certificate);
  return X509_NAME_add_entry_by_txt(
             subject, "CN", MBSTRING_ASC,
             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
             0) == 1 &&
         X509_set_issuer_name(certificate, subject) == 1;
}

bool AddExtension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Extension extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension != nullptr &&
         X509_add_ext(certificate, extension.get(), -1) == 1;
}

// The certificate is its own authority (a CA in X.509), and may sign no others.
bool AddExtensions(X509* certificate, const std::string& name) {
  return AddExtension(certificate, NID_basic_constraints,
                      "critical,CA:TRUE,pathlen:0") &&
         AddExtension(certificate, NID_key_usage,
                      "critical,digitalSignature,keyCertSign") &&
         AddExtension(certificate, NID_ext_key_usage,
                      "serverAuth,clientAuth") &&
         AddExtension(certificate, NID_subject_alt_name,
                      absl::StrCat("DNS:", name));
}

bool Fill(X509* certificate, EVP_PKEY* key, const std::string& name,
          int starts_days_ago, int validity_days) {
  const long start = -starts_days_ago * kSecondsPerDay;
  return X509_set_version(certificate, 2) == 1 && SetSerial(certificate) &&
         X509_gmtime_adj(X509_getm_notBefore(certificate), start) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(certificate),
                         start + validity_days * kSecondsPerDay) != nullptr &&
         X509_set_pubkey(certificate, key) == 1 && SetName(certificate, name) &&
         AddExtensions(certificate, name) &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

// OpenSSL wipes this memory when it frees it.
Secret Contents(BIO* bio) {
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(bio, &data);
  Secret contents(static_cast<std::size_t>(bytes));
  std::memcpy(contents.data(), data, contents.size());
  return contents;
}

}  // namespace

absl::StatusOr<KeyAndCertificate> MakeCertificate(const std::string& name,
                                                  int starts_days_ago,
                                                  int validity_days) {
  const absl::Status failed = absl::InternalError(
      absl::StrCat("OpenSSL cannot make the certificate of ", name));
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  const Bio key_text(BIO_new(BIO_s_secmem()));
  const Bio certificate_text(BIO_new(BIO_s_mem()));
  if (key == nullptr || certificate == nullptr || key_text == nullptr ||
      certificate_text == nullptr ||
      !Fill(certificate.get(), key.get(), name, starts_days_ago,
            validity_days) ||
      PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0,
                               nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1) {
    return failed;
  }
  KeyAndCertificate made;
  made.key = Contents(key_text.get());
  made.certificate = std::string(Contents(certificate_text.get()).text());
  return made;
}

}  // namespace cluster
