// SecuredNodes: keys and nodes for tests of the secured nng backend.
//
// What it is: key files in a folder of this process, nodes that use them, and a
// client that speaks TLS and then says whatever a test wants.
// What it is not: a second implementation of the proof.
//
// Threads: one. Errors: fail the test.
//
//   const TestKeys keys({1, 2});
//   auto one = StartSecured(keys.ConfigOf(1));
//   auto two = StartSecured(keys.ConfigOf(2));
//   ConnectBoth(*one, 1, *two, 2);

#ifndef TRANSPORT_NNG_SECURED_NODES_H_
#define TRANSPORT_NNG_SECURED_NODES_H_

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "transport/contract/recording_handler.h"
#include "transport/transport.h"

namespace cluster {
namespace nng {

class TestKeys {
 public:
  explicit TestKeys(const std::vector<int>& ids, int starts_days_ago = 1,
                    int validity_days = 365);
  ~TestKeys();
  TestKeys(const TestKeys&) = delete;
  TestKeys& operator=(const TestKeys&) = delete;

  std::string OwnFolder(int id) const;
  std::string PublicFolder(int id) const;
  // With all the others as peers.
  SecurityFiles FilesOf(int id) const;
  TransportConfig ConfigOf(int id) const;

 private:
  const std::vector<int> ids_;
  std::string folder_;
};

// A transport and its handler.
struct TestNode {
  RecordingHandler handler;
  std::unique_ptr<Transport> transport;  // goes first

  ~TestNode() { transport.reset(); }

  absl::Status Connect(int peer, const std::string& address) {
    return transport->Connect(peer, address, /*generation=*/1);
  }
  SendResult Send(int peer, std::string text) {
    return transport->Send(peer, Frame{{MakeSlice(std::move(text))}});
  }
};

// Listens on 127.0.0.1 and a free port. Null, and a failed test, if not.
std::unique_ptr<TestNode> StartSecured(const TransportConfig& config);

void ConnectBoth(TestNode& one, int one_id, TestNode& two, int two_id);

// Sends `text` and waits for it. False: it did not come.
bool Delivers(TestNode& from, int peer, TestNode& to, const std::string& text);

// A TLS stream that a test writes on.
class TlsClient {
 public:
  // Shows the certificate of `own_folder`, if there is one, and takes whatever
  // the server shows.
  TlsClient(const std::string& address, const std::string& own_folder);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // False: the handshake failed or the stream has ended.
  bool Write(absl::string_view bytes);
  bool WaitForEnd();

 private:
  nng_aio* aio_ = nullptr;      // of the dial and the writes
  nng_aio* end_aio_ = nullptr;  // of a read that lasts until the end
  char dropped_[64];
  nng_tls_config* config_ = nullptr;
  nng_stream_dialer* dialer_ = nullptr;
  nng_stream* stream_ = nullptr;
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_SECURED_NODES_H_
