// Lifetimes of what nng calls back about.
//
// An AsyncHandle starts operations of nng and counts holds: one for each that is
// under way, one for its creator. A Caretaker is the one thread that a transport
// has of its own. It frees handles that are closed and without holds, and does
// what is due at a later time. For nng 1.5.2 an operation on a closed stream
// calls back only if it is aborted; a callback may neither wait nor free; and
// two callbacks of one nng_aio run at once, when the first has begun the next
// operation. All but Begin is thread-safe.
//
//   aio_ = NewAio<&Reader::OnRead>(this);
//   Begin([this] { nng_stream_recv(stream_, aio_); });   // OnRead comes once

#ifndef CLUSTER_TRANSPORT_NNG_CARETAKER_H_
#define CLUSTER_TRANSPORT_NNG_CARETAKER_H_

#include <nng/nng.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "cluster/base/check.h"
#include "cluster/base/mutex.h"

namespace cluster::internal {
namespace nng {

using Clock = std::chrono::steady_clock;

class Tended {
 public:
  virtual ~Tended() = default;

  // Does what is due and says when to come again, at the latest (a Wake brings
  // it earlier). Nothing: it has finished, and is let go of.
  virtual absl::optional<Clock::time_point> Tend(Clock::time_point now) = 0;
};

class Caretaker {
 public:
  Caretaker() = default;
  ~Caretaker() { Stop(); }
  Caretaker(const Caretaker&) = delete;
  Caretaker& operator=(const Caretaker&) = delete;

  // Once. kResourceExhausted: there is no thread to be had.
  absl::Status Start();

  void Add(std::shared_ptr<Tended> tended);
  // Once, soon.
  void Do(std::function<void()> step);
  // Tends all that there is.
  void Wake();

  // Waits until everything has finished, then ends the thread, if there is one.
  // Idempotent; not from two threads at once.
  void Stop();

 private:
  void Run();
  // Tends each, drops what has finished, and returns when to come again.
  Clock::time_point TendAll();

  Mutex mutex_;
  CondVar changed_;
  std::vector<std::shared_ptr<Tended>> added_ CLUSTER_GUARDED_BY(mutex_);
  bool woken_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool stopping_ CLUSTER_GUARDED_BY(mutex_) = false;
  std::vector<std::shared_ptr<Tended>> tended_;  // the thread's own
  std::thread thread_;
};

class AsyncHandle : public Tended {
 public:
  explicit AsyncHandle(Caretaker* caretaker) : caretaker_(caretaker) {}

  // Ends all operations; their callbacks come with an error. Does not wait.
  void Close();
  bool closed() const { return closed_.load(); }

  // Gives a hold back. The creator does so once; an aio of NewAio by itself.
  void Release() {
    if (holds_.fetch_sub(1) == 1 && closed_.load()) caretaker_->Wake();
  }

  absl::optional<Clock::time_point> Tend(Clock::time_point now) final;

 protected:
  // Calls `start`, which starts an operation of an aio of NewAio. The caller has
  // a hold.
  template <typename Start>
  void Begin(Start start) {
    holds_.fetch_add(2);  // the operation's, and this call's
    start();
    // Close may have come just before `start`: then nobody else ends it.
    if (closed_.load()) CloseHandles();
    Release();
  }

  // Closes what there is and aborts each aio. Does not wait. Several calls may
  // come, also at the same time.
  virtual void CloseHandles() = 0;
  // Frees it, on the caretaker's thread. Freeing an aio waits for the very end
  // of its callback.
  virtual void FreeHandles() = 0;
  // After each Wake, while it is not freed.
  virtual void TendOpen() {}

 private:
  Caretaker* const caretaker_;
  std::atomic<int> holds_{1};
  std::atomic<bool> closed_{false};
};

// An aio whose operations end with `OnDone` of an AsyncHandle, on nng's threads,
// which no exception may reach.
template <auto OnDone, typename Handle>
nng_aio* NewAio(Handle* handle) {
  const auto callback = [](void* self) {
    OrEndProcess("a callback of nng", [self] {
      auto* const handle = static_cast<Handle*>(self);
      (handle->*OnDone)();
      handle->Release();
    });
  };
  nng_aio* aio = nullptr;
  CLUSTER_CHECK(nng_aio_alloc(&aio, callback, handle) == 0, "out of memory");
  return aio;
}

}  // namespace nng
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_NNG_CARETAKER_H_
