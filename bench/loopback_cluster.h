// LoopbackCluster: connected servers 1 to n of one process, in plaintext or
// with keys made for them.
//
// They listen on free ports of 127.0.0.1 or on sockets in the file system, and
// learn each other's addresses by AddPeer. Their limits are the library's
// defaults unless --frame_bytes, --inflight_bytes, --window_bytes or
// --queue_bytes_max say otherwise. Failures abort. Destroy the cluster before
// anything that its handlers use.
//
//   LoopbackCluster cluster("zmq", Scheme::kTcp, 2, [&](Server& self) {
//     return [&count](const EnvelopeView& envelope) { count.Add(1); };
//   });
//   cluster.server(1).Send(envelope);

#ifndef BENCH_LOOPBACK_CLUSTER_H_
#define BENCH_LOOPBACK_CLUSTER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/raw_fanout.h"
#include "cluster/server.h"

namespace cluster {
namespace bench {

using EnvelopeHandler = std::function<void(const EnvelopeView&)>;
// Makes the handler of one server; empty if the server uses Receive.
using HandlerFactory = std::function<EnvelopeHandler(Server& self)>;

enum class Secrecy { kPlaintext, kMutual };

// Whether each server has its own threads of zmq, as in a process of its own,
// or all share them (share_context). nng always has one set for a process. Those
// of tcp may poll before they sleep (spin_us).
enum class Threads { kEachItsOwn, kShared, kSpinning };

struct LoopbackOptions {
  Secrecy secrecy = Secrecy::kPlaintext;
  Threads threads = Threads::kEachItsOwn;
  std::size_t window_bytes = 0;  // 0: as the flag says
  // Where the others dial a server, by its address: a proxy, say. Null: there.
  std::function<std::string(const std::string& address)> route{};
};

class LoopbackCluster {
 public:
  LoopbackCluster(const std::string& transport, Scheme scheme, int servers,
                  const HandlerFactory& make_handler,
                  const LoopbackOptions& options = {});
  ~LoopbackCluster() { Stop(); }

  Server& server(int id) { return *servers_[static_cast<std::size_t>(id - 1)]; }
  int size() const { return static_cast<int>(servers_.size()); }

  // Ends every Receive. The destructor does it too.
  void Stop();

 private:
  std::vector<std::unique_ptr<Server>> servers_;
};

// The mean over all connections with traffic, the warm-up included.
double ItemsPerFrame(LoopbackCluster& cluster);

// Sends, and waits for room as long as it takes.
void SendOrDie(Server& server, const Envelope& envelope);

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_LOOPBACK_CLUSTER_H_
