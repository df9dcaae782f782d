// TlsEnd: one end of a TLS connection by OpenSSL itself on a blocking socket,
// for tests that play a peer with other wishes than this library's.
//
// It takes whatever certificate the other end shows. Threads: one. Errors: a
// call that does not succeed returns false; waits end with the stream's (30 s).
//
//   TlsEnd end(keys.OwnFolder(2));
//   ASSERT_TRUE(end.Connect(RawStream::Dial(address)));
//   end.Write(Preamble());
//   EXPECT_TRUE(end.Hears(Preamble()));

#ifndef CLUSTER_TRANSPORT_STREAM_TESTING_TLS_END_H_
#define CLUSTER_TRANSPORT_STREAM_TESTING_TLS_END_H_

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "cluster/transport/stream/testing/raw_stream.h"

namespace cluster::internal {
namespace stream {

class TlsEnd {
 public:
  // With the key files of a folder, or without any ("").
  explicit TlsEnd(const std::string& own_folder);

  // For what is not made yet: exactly this version; these ciphers of older ones.
  void SetVersion(int version);
  void SetCiphers(const char* ciphers);
  SSL_CTX* context() { return context_.get(); }

  // The handshake, as far as this end can tell. Keeps the stream.
  bool Connect(RawStream stream);
  bool Accept(RawStream stream);

  bool Write(absl::string_view bytes);
  // Whether just that comes.
  bool Hears(absl::string_view bytes);
  // Reads, and drops what comes, until the other side has ended or refused.
  void WaitForEnd();

  SSL* ssl() { return ssl_.get(); }
  RawStream& stream() { return stream_; }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  bool Shake(RawStream stream, int (*shake)(SSL*));

  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  RawStream stream_;
};

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_TESTING_TLS_END_H_
