// Drainer: calls OnDrained, in which user code may block for as long as it
// likes, without ever using up nng's threads.
//
// nng runs the callbacks of the whole process on 2 threads a CPU, 16 at most.
// The call is made inline (no hop) while at most half of them are inside an
// OnDrained of any transport; else it is handed to a thread of this transport's
// own, made when first needed. There are at most two of these: when one is held
// up by user code, the other goes on; calls that come while both are inside
// become one. Where no thread can be made the call is made inline all the same.
// What it is not: per connection; OnDrained says that something has arrived,
// not where.
//
// Threads: Drain is called on nng's threads. Stop waits for the threads of its
// own, so for user code; call it when no Drain is running or will come.
// Errors: none.
//
//   Drainer drainer(handler);
//   drainer.Drain();   // after one or more OnFrame

#ifndef TRANSPORT_NNG_DRAINER_H_
#define TRANSPORT_NNG_DRAINER_H_

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "transport/transport.h"

namespace cluster {
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
  std::mutex mutex_;
  std::condition_variable changed_;
  bool wanted_ = false;    // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  int waiting_ = 0;        // threads that wait for work; guarded by mutex_
  std::vector<std::thread> threads_;  // guarded by mutex_
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_DRAINER_H_
