// RawFanout and RawEcho: a bare messaging library as a baseline.
//
// The smallest interface with which the same code measures zmq, nng, bare
// sockets and the libraries of bench/peers. RawFanout sends messages one way to one or more receivers, RawEcho makes
// round trips. They use no part of the library under test.
//
// Call Begin, Commit, Flush and RoundTrip from one thread; each connection calls its
// receiver on a thread of its own. Begin lends a buffer until Commit or
// CommitTo. Errors abort.
//
//   auto fanout = NewRawFanout(
//       "zmq", Scheme::kTcp, 1, 64,
//       [](int connection, absl::string_view message) { ... });
//   char* message = fanout->Begin(64);
//   ...
//   fanout->Commit();

#ifndef BENCH_RAW_FANOUT_H_
#define BENCH_RAW_FANOUT_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace cluster {
namespace bench {

enum class Scheme { kTcp, kIpc };

// A unique path for an ipc endpoint.
std::string NewIpcPath();

using RawReceiver =
    std::function<void(int connection, absl::string_view message)>;

class RawFanout {
 public:
  virtual ~RawFanout() = default;
  // Begins a message of `bytes`, for the caller to fill in.
  virtual char* Begin(std::size_t bytes) = 0;
  // Sends it to every receiver; waits where a queue is full.
  virtual void Commit() = 0;
  // Sends it to one receiver. Only the libraries below transport/ have it.
  virtual void CommitTo(int connection);
  // Sends what Commit kept to send more at once.
  virtual void Flush() {}
};

class RawEcho {
 public:
  virtual ~RawEcho() = default;
  // Sends a message to the other side, which sends it back, and waits for it.
  virtual void RoundTrip() = 0;
};

// The messages will have about `message_bytes`, which decides the length of
// queues.
std::unique_ptr<RawFanout> NewRawFanout(absl::string_view transport,
                                        Scheme scheme, int connections,
                                        std::size_t message_bytes,
                                        RawReceiver receiver);
std::unique_ptr<RawEcho> NewRawEcho(absl::string_view transport,
                                    std::size_t message_bytes);

// The length of a queue for messages of this size: enough to keep a connection
// busy, in bounded memory.
int RawQueueLength(std::size_t message_bytes, int most);

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_RAW_FANOUT_H_
