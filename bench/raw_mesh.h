// RawMesh: servers of one process that each send to each other one over a bare
// library, as a limit for what the library under test can do there.
//
// What it is: a socket that receives for each server, and one for each link. Of
// zmq all are in one context. What it is not: reliable, or a Transport.
//
// Threads: one at a time for each `from`; the receiver is called on a thread of
// each server's own. Ownership: Begin lends a buffer until Commit. Errors:
// abort; baselines run on loopback.
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
#include "bench/raw_link.h"

namespace cluster {
namespace bench {

class RawMesh {
 public:
  virtual ~RawMesh() = default;
  // A message of `bytes` from one server to another, counted from 0, to be
  // filled in.
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
