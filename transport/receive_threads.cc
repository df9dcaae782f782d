#include "cluster/transport/receive_threads.h"

#include <utility>

#include "cluster/base/start_thread.h"

namespace cluster {

ReceiveThreads::~ReceiveThreads() {
  Stop([] {});
}

absl::Status ReceiveThreads::Start(TransportHandler* handler,
                                   std::function<bool()> turn) {
  handler_ = handler;
  turn_ = std::move(turn);
  absl::Status status;
  internal::MutexLock lock(&threads_mutex_);
  for (std::thread& thread : threads_) {
    if (status.ok())
      status = internal::StartThread(
          "cluster-recv", [this] { Run(); }, &thread);
  }
  return status;
}

void ReceiveThreads::Stop(const std::function<void()>& wake) {
  relief_.Close();
  wake();
  internal::MutexLock lock(&threads_mutex_);
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void ReceiveThreads::Run() {
  bool receives = relief_.Acquire();
  while (receives && !relief_.closed()) {
    if (!turn_()) continue;
    receives =
        relief_.Call([this] { handler_->OnDrained(); }) || relief_.Acquire();
  }
}

}  // namespace cluster
