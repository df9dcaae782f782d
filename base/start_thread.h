// StartThread: starts a thread of the library, with a name and with all signals
// blocked. Signals belong to the application's own threads.
//
// It returns a status where std::thread would throw, since no exception crosses
// this library's interface. An allocation that fails on the new thread ends the
// process with a text. SignalsBlocked is for calls in which another library
// starts threads.
//
//   absl::Status status =
//       StartThread("cluster-tick", [this] { Run(); }, &thread_);

#ifndef CLUSTER_BASE_START_THREAD_H_
#define CLUSTER_BASE_START_THREAD_H_

#include <pthread.h>
#include <signal.h>

#include <cstddef>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"

namespace cluster::internal {

// Blocks the calling thread's signals while it lives; a thread that is started
// meanwhile keeps them blocked.
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

// `name` has at most 15 characters. kResourceExhausted: `thread` is as it was.
template <std::size_t kNameBytes, typename Function>
absl::Status StartThread(const char (&name)[kNameBytes], Function run,
                         std::thread* thread) {
  static_assert(kNameBytes <= 16, "the system refuses longer names");
  const SignalsBlocked blocked;
  try {
    *thread = std::thread([where = &name[0], run = std::move(run)]() mutable {
      OrEndProcess(where, run);
    });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot start a thread: ", error.what(),
                     "; raise the limit of processes (ulimit -u) or of memory, "
                     "or run fewer servers in this process"));
  }
  pthread_setname_np(thread->native_handle(), name);
  return absl::OkStatus();
}

}  // namespace cluster::internal

#endif  // CLUSTER_BASE_START_THREAD_H_
