// QuietThread: a thread that no signal reaches: signals are the application's,
// and its handlers run on its own threads.
//
//   std::thread thread = QuietThread([this] { Run(); });

#ifndef TRANSPORT_ZMQ_QUIET_THREAD_H_
#define TRANSPORT_ZMQ_QUIET_THREAD_H_

#include <pthread.h>
#include <signal.h>

#include <thread>
#include <utility>

namespace cluster {
namespace zmq_backend {

template <typename Function>
std::thread QuietThread(Function&& run) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::forward<Function>(run));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace zmq_backend
}  // namespace cluster

#endif  // TRANSPORT_ZMQ_QUIET_THREAD_H_
