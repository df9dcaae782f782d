// One end of a TLS connection, by OpenSSL itself on a blocking socket. For
// tests of peers whose TLS this library never speaks.
//
// It accepts any certificate of the other end. Not thread-safe. A call that
// fails returns false; waits end with the stream's, after 30 s.
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

  // For later handshakes: exactly this version; these ciphers, before TLS 1.3.
  void SetVersion(int version);
  void SetCiphers(const char* ciphers);
  SSL_CTX* context() { return context_.get(); }

  // Take the stream and shake hands. True: succeeded, as far as this end can
  // tell.
  bool Connect(RawStream stream);
  bool Accept(RawStream stream);

  bool Write(absl::string_view bytes);
  // Reads as many bytes; whether they are `bytes`.
  bool Hears(absl::string_view bytes);
  // Reads and drops bytes until the other side has ended or refused.
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
