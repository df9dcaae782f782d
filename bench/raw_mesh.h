// RawMesh: servers of one process that each send to every other over a bare
// library.
//
// It shows the limit of the library under test in that layout. Each server has
// a socket to receive, and one per connection to send. For zmq all share a
// context. One thread at a time for each `from`; each server calls the receiver
// on a thread of its own. Begin lends a buffer until Commit. Errors abort.
//
//   auto mesh = NewRawMesh("zmq", 32, 65536,
//                          [](int server, absl::string_view message) { ... });
//   char* message = mesh->Begin(0, 1, 65536);
//   ...
//   mesh->Commit(0, 1);

#ifndef BENCH_RAW_MESH_H_
#define BENCH_RAW_MESH_H_

#include <cstddef>
#include <memory>

#include "absl/strings/string_view.h"
#include "bench/raw_fanout.h"

namespace cluster {
namespace bench {

class RawMesh {
 public:
  virtual ~RawMesh() = default;
  // Begins a message of `bytes` from one server to another, counted from 0, for
  // the caller to fill in.
  virtual char* Begin(int from, int to, std::size_t bytes) = 0;
  // Sends it; waits where a queue is full.
  virtual void Commit(int from, int to) = 0;
};

// The messages will have at most about `message_bytes`.
std::unique_ptr<RawMesh> NewRawMesh(absl::string_view transport, int servers,
                                    std::size_t message_bytes,
                                    RawReceiver receiver);

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_RAW_MESH_H_
