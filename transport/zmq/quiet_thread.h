// Quiet threads: no signal reaches them: signals are the application's, and its
// handlers run on its own threads.
//
// Errors: kResourceExhausted: the process can have no more threads. The
// caller's own signals are as before in any case.
//
//   std::thread thread;
//   absl::Status status = StartQuietThread([this] { Run(); }, &thread);

#ifndef TRANSPORT_ZMQ_QUIET_THREAD_H_
#define TRANSPORT_ZMQ_QUIET_THREAD_H_

#include <pthread.h>
#include <signal.h>

#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "transport/start_thread.h"

namespace cluster {
namespace zmq_backend {

// Blocks the calling thread's signals while it lives; who is started meanwhile
// keeps them blocked.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

template <typename Function>
absl::Status StartQuietThread(Function&& run, std::thread* thread) {
  const SignalsBlocked blocked;
  return StartThread(std::forward<Function>(run), thread);
}

}  // namespace zmq_backend
}  // namespace cluster

#endif  // TRANSPORT_ZMQ_QUIET_THREAD_H_
