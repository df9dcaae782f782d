// Lifetimes of the objects that nng calls back.
//
// Each operation of an AsyncHandle's Aios shares the handle until its callback
// has returned. So its last operation or its last other user destroys the
// handle, on any thread. Destructors do not wait: nng's reaper frees their
// resources later. HandleCount lets Stop wait for the last handle. All but
// Begin is thread-safe.
//
// nng 1.5.2 calls back for an operation on a closed stream only if it is
// aborted. Two callbacks of one Aio may run at once if the first has begun the
// next operation.
//
//   Begin(&aio_, [this] { nng_stream_recv(stream_, aio_.get()); });

#ifndef CLUSTER_TRANSPORT_NNG_ASYNC_HANDLE_H_
#define CLUSTER_TRANSPORT_NNG_ASYNC_HANDLE_H_

#include <nng/nng.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <utility>

#include "cluster/base/check.h"
#include "cluster/base/mutex.h"

namespace cluster::internal {
namespace nng {

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

// An nng_aio that calls `done` on nng's threads when an operation ends. No
// exception may reach those threads. A member of the handle that it calls.
class Aio {
 public:
  explicit Aio(void (*done)(AsyncHandle*)) : done_(done) {
    CLUSTER_CHECK(nng_aio_alloc(&aio_, &Aio::OnDone, this) == 0,
                  "out of memory");
  }
  Aio(const Aio&) = delete;
  Aio& operator=(const Aio&) = delete;
  // Does not wait for the callback, which may be the caller.
  ~Aio() { nng_aio_reap(aio_); }

  nng_aio* get() const { return aio_; }

 private:
  friend class AsyncHandle;

  static void OnDone(void* self) {
    OrEndProcess("a callback of nng", [self] {
      auto* const aio = static_cast<Aio*>(self);
      const auto handle = std::move(aio->handle_);
      aio->done_(handle.get());
    });
  }

  void (*const done_)(AsyncHandle*);
  nng_aio* aio_ = nullptr;
  std::shared_ptr<AsyncHandle> handle_;  // while an operation is under way
};

// For Aio: calls `kOnDone` of a Handle.
template <typename Handle, void (Handle::*kOnDone)()>
void Call(AsyncHandle* handle) {
  (static_cast<Handle*>(handle)->*kOnDone)();
}

class AsyncHandle : public std::enable_shared_from_this<AsyncHandle> {
 public:
  virtual ~AsyncHandle() { handles_->Add(-1); }

  // Ends all operations; their callbacks come with an error. Does not wait.
  void Close() {
    if (!closed_.exchange(true)) CloseHandles();
  }
  bool closed() const { return closed_.load(); }

 protected:
  explicit AsyncHandle(HandleCount* handles) : handles_(handles) {
    handles_->Add(1);
  }

  // Calls `start`, which starts an operation of `aio`.
  template <typename Start>
  void Begin(Aio* aio, Start start) {
    const std::shared_ptr<AsyncHandle> self = shared_from_this();
    aio->handle_ = self;
    start();
    // A Close just before `start` has not ended this operation.
    if (closed_.load()) CloseHandles();
  }

  // Closes nng's objects and aborts each aio. Does not wait. May be called
  // several times, also concurrently.
  virtual void CloseHandles() = 0;

 private:
  HandleCount* const handles_;
  std::atomic<bool> closed_{false};
};

}  // namespace nng
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_NNG_ASYNC_HANDLE_H_
