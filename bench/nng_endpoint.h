// NngEndpoint: a bare nng socket of any protocol, for the baselines.
//
// Its queues are long enough. Thread-safe, as nng's sockets are. Errors abort.
//
//   NngEndpoint near(&nng_pair0_open, 64);
//   NngEndpoint far(&nng_pair0_open, 64);
//   far.Bind(Scheme::kTcp);
//   near.Dial(far);

#ifndef BENCH_NNG_ENDPOINT_H_
#define BENCH_NNG_ENDPOINT_H_

#include <nng/nng.h>

#include <cstddef>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "bench/raw_fanout.h"

namespace cluster {
namespace bench {

class NngEndpoint {
 public:
  NngEndpoint(int (*open)(nng_socket*), std::size_t message_bytes);
  ~NngEndpoint() { Close(); }
  NngEndpoint(const NngEndpoint&) = delete;
  NngEndpoint& operator=(const NngEndpoint&) = delete;

  void Bind(Scheme scheme);
  // Dials, and waits for the connection.
  void Dial(const NngEndpoint& other);

  void Send(nng_msg* message);
  // Null once Close was called.
  nng_msg* Receive();
  // Gives `receive` each message until Close is called.
  void ReceiveAll(const std::function<void(absl::string_view)>& receive);
  // Ends a Receive on another thread; a second call does nothing.
  void Close() { nng_close(socket_); }

 private:
  nng_socket socket_;
  std::string address_;
};

// A message of `bytes` bytes, for Send.
nng_msg* NewNngMessage(std::size_t bytes);

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_NNG_ENDPOINT_H_
