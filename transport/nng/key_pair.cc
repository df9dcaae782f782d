#include "transport/nng/key_pair.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

namespace cluster {
namespace nng {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Bio = std::unique_ptr<BIO, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Certificate = std::unique_ptr<X509, Free>;

Bio Reader(absl::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL's own asks on the terminal.
int NoPassword(char*, int, int, void*) { return -1; }

// The queue is the thread's, and whoever else uses OpenSSL on it would take what
// is left there for an error of its own.
struct ClearErrors {
  ~ClearErrors() { ERR_clear_error(); }
};

Key ReadKey(absl::string_view text) {
  const Bio bio = Reader(text);
  if (bio == nullptr) return nullptr;
  return Key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassword, nullptr));
}

Certificate ReadCertificate(absl::string_view text) {
  const Bio bio = Reader(text);
  if (bio == nullptr) return nullptr;
  return Certificate(
      PEM_read_bio_X509(bio.get(), nullptr, &NoPassword, nullptr));
}

}  // namespace

bool IsPrivateKey(absl::string_view key) {
  const ClearErrors clear;
  return ReadKey(key) != nullptr;
}

bool IsCertificate(absl::string_view certificate) {
  const ClearErrors clear;
  return ReadCertificate(certificate) != nullptr;
}

bool IsPair(absl::string_view key, absl::string_view certificate) {
  const ClearErrors clear;
  const Key private_key = ReadKey(key);
  const Certificate shown = ReadCertificate(certificate);
  return private_key != nullptr && shown != nullptr &&
         X509_check_private_key(shown.get(), private_key.get()) == 1;
}

}  // namespace nng
}  // namespace cluster
