// Calls OnDrained, in which user code may block for as long as it likes, without
// ever using up nng's threads.
//
// nng runs the callbacks of the whole process on 2 threads a CPU, 16 at most. So
// the call is made inline (no hop) while at most half of them are inside an
// OnDrained; else one of two threads of this transport's own makes it. Calls that
// come while both are inside become one. Stop waits for the own threads, so for
// user code; no Drain may run then.

#ifndef CLUSTER_TRANSPORT_NNG_DRAINER_H_
#define CLUSTER_TRANSPORT_NNG_DRAINER_H_

#include <array>
#include <thread>

#include "absl/status/status.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace nng {

class Drainer {
 public:
  explicit Drainer(TransportHandler* handler) : handler_(handler) {}
  ~Drainer() { Stop(); }

  // Once, before Drain. kResourceExhausted: there are not the threads to be had.
  absl::Status Start();
  void Drain();
  void Stop();

 private:
  void Run();

  TransportHandler* const handler_;
  Mutex mutex_;
  CondVar changed_;
  bool wanted_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool stopping_ CLUSTER_GUARDED_BY(mutex_) = false;
  std::array<std::thread, 2> threads_;
};

}  // namespace nng
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_NNG_DRAINER_H_
