// StartThread: a thread, or an error where the system gives none.
//
// Errors: kResourceExhausted.
//
//   absl::Status status = StartThread([this] { Loop(); }, &thread_);

#ifndef CLUSTER_SERVER_START_THREAD_H_
#define CLUSTER_SERVER_START_THREAD_H_

#include <functional>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cluster {

inline absl::Status StartThread(std::function<void()> run,
                                std::thread* thread) {
  try {
    *thread = std::thread(std::move(run));
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no more threads: ", error.what()));
  }
  return absl::OkStatus();
}

}  // namespace cluster

#endif  // CLUSTER_SERVER_START_THREAD_H_
