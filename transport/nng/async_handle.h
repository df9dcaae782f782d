// AsyncHandle: the base of whatever starts operations of nng: an acceptor, a
// dial, a connection. It settles when they may be freed.
//
// A count of holds (one for each operation under way or callback that runs, one
// for the creator until it will begin nothing more from outside) and a closed
// flag: when it is closed and without holds, the caretaker frees it. For nng
// 1.5.2 an operation on a closed stream never calls back unless it is aborted; a
// callback may neither wait nor free; and of one nng_aio two callbacks may run
// at once, when the first has started the next operation.
//
// Threads: Close from any, callbacks too; it never waits. Begin: whoever owns
// the aio at the moment. Ownership: the caretaker's share keeps the object alive
// until its last callback has returned. Errors: come to the callback.
//
//   void OnRead() {   // the callback of aio_
//     if (nng_aio_result(aio_) != 0) Close();
//     else Begin([&] { nng_stream_recv(stream_, aio_); });
//     Release();      // the hold of the operation that this callback ends
//   }

#ifndef CLUSTER_TRANSPORT_NNG_ASYNC_HANDLE_H_
#define CLUSTER_TRANSPORT_NNG_ASYNC_HANDLE_H_

#include <nng/nng.h>

#include <atomic>

#include "absl/types/optional.h"
#include "cluster/base/check.h"
#include "cluster/transport/nng/caretaker.h"

namespace cluster {
namespace nng {

class AsyncHandle : public Tended {
 public:
  explicit AsyncHandle(Caretaker* caretaker) : caretaker_(caretaker) {}

  // Ends all operations; their callbacks come with an error.
  void Close() {
    Hold();
    if (!closed_.exchange(true)) CloseHandles();
    Release();
  }
  bool closed() const { return closed_.load(); }

  // Gives a hold back: a callback, at its very end, that of the operation which
  // it ends; the creator, once, its own.
  void Release() {
    if (holds_.fetch_sub(1) == 1 && closed_.load()) caretaker_->Wake();
  }

  absl::optional<Clock::time_point> Tend(Clock::time_point now) final {
    if (closed_.load() && holds_.load() == 0) {
      FreeHandles();
      return absl::nullopt;
    }
    return TendOpen(now);
  }

 protected:
  // Calls `start`, which starts an operation. Its callback comes exactly once,
  // and ends with Release. The caller has a hold.
  template <typename Start>
  void Begin(Start start) {
    holds_.fetch_add(2);  // the operation's, and this call's
    start();
    // Close may have come just before `start`: then nobody else ends it.
    if (closed_.load()) CloseHandles();
    Release();
  }

  Caretaker* caretaker() const { return caretaker_; }

  // Closes what there is and aborts each aio. Does not wait. Several calls may
  // come, also at the same time.
  virtual void CloseHandles() = 0;
  // Frees it, on the caretaker's thread. Freeing an aio waits for the very end
  // of its callback.
  virtual void FreeHandles() = 0;
  // What is due while it is not freed; when to come again.
  virtual Clock::time_point TendOpen(Clock::time_point) {
    return Clock::time_point::max();
  }

 private:
  void Hold() { holds_.fetch_add(1); }

  Caretaker* const caretaker_;
  std::atomic<int> holds_{1};
  std::atomic<bool> closed_{false};
};

// `Callback` runs on nng's threads, which no exception may reach.
template <void (*Callback)(void*)>
nng_aio* NewAio(void* argument) {
  nng_aio* aio = nullptr;
  const auto callback = [](void* self) {
    OrEndProcess("a callback of nng", [self] { Callback(self); });
  };
  CLUSTER_CHECK(nng_aio_alloc(&aio, callback, argument) == 0, "out of memory");
  return aio;
}

}  // namespace nng
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_NNG_ASYNC_HANDLE_H_
