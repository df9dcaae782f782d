// Asynchronous operations, and the lifetimes of the objects that they call back.
//
// Each operation shares its handle until its callback has returned. So the last
// operation or the last other user destroys the handle, on any thread. Destructors
// do not wait. HandleCount lets Stop wait for the last handle. A backend derives
// Operation, and calls back on its own threads, without a lock. All but Begin is
// thread-safe.
//
// Two callbacks of one Operation may run at once if the first has begun the next
// one.
//
//   Begin(receive_.get(), [this] { stream_->Receive(receive_.get(), Room()); });

#ifndef CLUSTER_TRANSPORT_STREAM_OPERATION_H_
#define CLUSTER_TRANSPORT_STREAM_OPERATION_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>

#include "cluster/base/mutex.h"

namespace cluster::internal {
namespace stream {

using Clock = std::chrono::steady_clock;

class AsyncHandle;

// The handles of one transport.
class HandleCount {
 public:
  void Add(int handles) {
    MutexLock lock(&mutex_);
    count_ += handles;
    if (count_ == 0) none_.NotifyAll();
  }
  void AwaitNone() {
    MutexLock lock(&mutex_);
    while (count_ > 0) none_.Wait(&mutex_);
  }

 private:
  Mutex mutex_;
  CondVar none_;
  int count_ CLUSTER_GUARDED_BY(mutex_) = 0;
};

// One operation at a time; a member of the handle that it calls. Streams and
// listeners (io.h) begin all but Sleep.
class Operation {
 public:
  // `error`: 0, or an errno. `bytes`: of what was sent or received.
  using Done = void (*)(AsyncHandle* handle, int error, std::size_t bytes);

  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  // May run in the callback.
  virtual ~Operation() = default;

  // Ends after `time`, with 0; or sooner, with ECANCELED.
  virtual void Sleep(Clock::duration time) = 0;
  // Ends a sleep under way. Does not wait for the callback.
  virtual void Abort() = 0;

 protected:
  explicit Operation(Done done) : done_(done) {}

  // Calls back. Nothing may use the operation afterwards.
  void End(int error, std::size_t bytes) {
    const auto handle = std::move(handle_);
    done_(handle.get(), error, bytes);
  }

 private:
  friend class AsyncHandle;

  const Done done_;
  std::shared_ptr<AsyncHandle> handle_;  // while an operation is under way
};

// For Operation: calls `kOnDone` of a Handle.
template <typename Handle, void (Handle::*kOnDone)(int, std::size_t)>
void Call(AsyncHandle* handle, int error, std::size_t bytes) {
  (static_cast<Handle*>(handle)->*kOnDone)(error, bytes);
}

class AsyncHandle : public std::enable_shared_from_this<AsyncHandle> {
 public:
  virtual ~AsyncHandle() { handles_->Add(-1); }

  // Ends all operations; their callbacks come with an error. Does not wait.
  void Close() {
    if (!closed_.exchange(true)) EndOperations();
  }
  bool closed() const { return closed_.load(); }

 protected:
  explicit AsyncHandle(HandleCount* handles) : handles_(handles) {
    handles_->Add(1);
  }

  // Calls `start`, which starts `operation`.
  template <typename Start>
  void Begin(Operation* operation, Start start) {
    const std::shared_ptr<AsyncHandle> self = shared_from_this();
    operation->handle_ = self;
    start();
    // A Close just before `start` has not ended this operation.
    if (closed_.load()) EndOperations();
  }

  // Closes streams and listeners, and aborts each operation. Does not wait. May
  // be called several times, also concurrently.
  virtual void EndOperations() = 0;

 private:
  HandleCount* const handles_;
  std::atomic<bool> closed_{false};
};

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_OPERATION_H_
