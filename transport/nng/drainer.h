// Calls OnDrained, in which user code may block for as long as it likes, without
// ever using up nng's threads.
//
// nng runs the callbacks of the whole process on 2 threads a CPU, 16 at most. So
// the call is made inline (no hop) while at most half of them are inside an
// OnDrained, or where no thread can be made; else one of at most two threads of
// this transport's own makes it. Calls that come while both are inside become
// one. Stop waits for the own threads, so for user code; no Drain may run then.

#ifndef CLUSTER_TRANSPORT_NNG_DRAINER_H_
#define CLUSTER_TRANSPORT_NNG_DRAINER_H_

#include <thread>
#include <vector>

#include "cluster/base/mutex.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace nng {

class Drainer {
 public:
  explicit Drainer(TransportHandler* handler) : handler_(handler) {}
  ~Drainer() { Stop(); }

  void Drain();
  void Stop();

 private:
  // False: there is nobody to hand over to.
  bool HandOff();
  void Run();

  TransportHandler* const handler_;
  Mutex mutex_;
  CondVar changed_;
  bool wanted_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool stopping_ CLUSTER_GUARDED_BY(mutex_) = false;
  int waiting_ CLUSTER_GUARDED_BY(mutex_) = 0;  // threads that wait for work
  std::vector<std::thread> threads_ CLUSTER_GUARDED_BY(mutex_);
};

}  // namespace nng
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_NNG_DRAINER_H_
