#include "cluster/transport/stream/testing/tls_end.h"

#include <signal.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/transport/key_files.h"

namespace cluster::internal {
namespace stream {

TlsEnd::TlsEnd(const std::string& own_folder)
    : context_(SSL_CTX_new(TLS_method())) {
  signal(SIGPIPE, SIG_IGN);  // OpenSSL's writes may raise it
  // OpenSSL has old versions and empty ciphers at its lowest level only.
  SSL_CTX_set_security_level(context_.get(), 0);
  SSL_CTX_set_min_proto_version(context_.get(), 0);
  SSL_CTX_set_dh_auto(context_.get(), 1);
  if (own_folder.empty()) return;
  const std::string key = absl::StrCat(own_folder, "/", kTlsKeyFile);
  const std::string certificate =
      absl::StrCat(own_folder, "/", kTlsCertificateFile);
  CLUSTER_CHECK(SSL_CTX_use_certificate_chain_file(context_.get(),
                                                   certificate.c_str()) == 1 &&
                    SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(),
                                                SSL_FILETYPE_PEM) == 1,
                own_folder.c_str());
}

void TlsEnd::SetVersion(int version) {
  SSL_CTX_set_min_proto_version(context_.get(), version);
  SSL_CTX_set_max_proto_version(context_.get(), version);
}

void TlsEnd::SetCiphers(const char* ciphers) {
  CLUSTER_CHECK(SSL_CTX_set_cipher_list(context_.get(), ciphers) == 1, ciphers);
}

bool TlsEnd::Connect(RawStream stream) {
  return Shake(std::move(stream), SSL_connect);
}
bool TlsEnd::Accept(RawStream stream) {
  return Shake(std::move(stream), SSL_accept);
}

bool TlsEnd::Shake(RawStream stream, int (*shake)(SSL*)) {
  stream_ = std::move(stream);
  ssl_.reset(SSL_new(context_.get()));
  SSL_set_fd(ssl_.get(), stream_.fd());
  return shake(ssl_.get()) == 1;
}

bool TlsEnd::Write(absl::string_view bytes) {
  return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) ==
         static_cast<int>(bytes.size());
}

bool TlsEnd::Hears(absl::string_view bytes) {
  std::string heard(bytes.size(), '\0');
  std::size_t got = 0;
  while (got < heard.size()) {
    const int part =
        SSL_read(ssl_.get(), &heard[got], static_cast<int>(heard.size() - got));
    if (part <= 0) return false;
    got += static_cast<std::size_t>(part);
  }
  return heard == bytes;
}

void TlsEnd::WaitForEnd() {
  char dropped[4096];
  while (SSL_read(ssl_.get(), dropped, sizeof dropped) > 0) {
  }
}

}  // namespace stream
}  // namespace cluster::internal
