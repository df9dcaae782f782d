// StartThread: a thread, or a status where the process can have no more.
//
// std::thread throws then, and no exception crosses this library's interface.
//
// Threads: any. Errors: kResourceExhausted; `thread` is as it was.
//
//   absl::Status status = StartThread([this] { Run(); }, &thread_);

#ifndef TRANSPORT_START_THREAD_H_
#define TRANSPORT_START_THREAD_H_

#include <system_error>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cluster {

template <typename Function>
absl::Status StartThread(Function run, std::thread* thread) {
  try {
    *thread = std::thread(std::move(run));
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot start a thread: ", error.what(),
                     "; raise the limit of processes (ulimit -u) or of memory, "
                     "or run fewer servers in this process"));
  }
  return absl::OkStatus();
}

}  // namespace cluster

#endif  // TRANSPORT_START_THREAD_H_
