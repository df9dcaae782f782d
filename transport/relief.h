// Relief: moves a role from a thread that is held up in a callback to another
// one. So a transport goes on receiving while OnDrained blocks in user code.
//
// Two threads (or more) run the same loop, and one of them holds the role.
// Another one looks every 50 ms whether the holder is still inside the same
// callback. If so, the role moves; the former holder notices when its callback
// returns, and waits as the relief. After a while without callbacks the relief
// sleeps until the next one.
//
// Any thread may call Acquire, Look and Close; Enter, Leave and Call are the
// holder's alone. The new holder sees what the former one wrote before its
// callback. A callback costs two uncontended atomic operations.
//
//   while (relief_.Acquire()) {
//     do {
//       if (!Receive()) return;   // after Close
//     } while (relief_.Call([&] { handler_->OnDrained(); }));
//   }

#ifndef CLUSTER_TRANSPORT_RELIEF_H_
#define CLUSTER_TRANSPORT_RELIEF_H_

#include <atomic>
#include <chrono>
#include <cstdint>

#include "cluster/base/mutex.h"

namespace cluster {

class Relief {
 public:
  // How often the relief looks; the role moves within twice that.
  static constexpr std::chrono::milliseconds kLookInterval{50};

  // So many looks at an idle holder, and the relief waits to be woken.
  static constexpr int kIdleLooksMax = 4;

  Relief() = default;
  Relief(const Relief&) = delete;
  Relief& operator=(const Relief&) = delete;

  // Waits until the calling thread holds the role: at once for the first
  // caller, else when the holder is held up. False: Close was called. The
  // holder does not call it.
  bool Acquire() {
    if (closed()) return false;
    if (vacant_.exchange(false, std::memory_order_acquire)) return true;
    std::uint64_t seen = 0;
    int idle_looks = 0;
    internal::MutexLock lock(&mutex_);
    while (!closed()) {
      const std::uint64_t before = seen;
      if (Look(&seen)) return true;
      idle_looks = seen == before && seen % 2 == 0 ? idle_looks + 1 : 0;
      if (idle_looks < kIdleLooksMax) {
        changed_.WaitFor(&mutex_, kLookInterval);
      } else {
        Park(seen);
        idle_looks = 0;
      }
    }
    return false;
  }

  // Runs `callback`, in which the role may move. Returns whether the calling
  // thread still holds it.
  template <typename Callback>
  bool Call(Callback&& callback) {
    const std::uint64_t ticket = Enter();
    callback();
    return Leave(ticket);
  }

  // The two halves of Call.
  std::uint64_t Enter() {
    const std::uint64_t ticket =
        state_.fetch_add(1, std::memory_order_seq_cst) + 1;
    if (parked_.load(std::memory_order_seq_cst)) Unpark();
    return ticket;
  }
  bool Leave(std::uint64_t ticket) {
    return state_.compare_exchange_strong(ticket, ticket + 1,
                                          std::memory_order_relaxed);
  }

  // One look: takes the role if the holder is inside the same callback as at
  // the look that left `*seen`, which starts at 0. Does not block.
  bool Look(std::uint64_t* seen) {
    std::uint64_t state = state_.load(std::memory_order_relaxed);
    const bool held_up = state % 2 == 1 && state == *seen;
    *seen = state;
    return held_up && state_.compare_exchange_strong(state, state + 1,
                                                     std::memory_order_acquire);
  }

  // Makes every Acquire, waiting or to come, return false. The holder keeps the
  // role until it leaves its loop. Idempotent.
  void Close() {
    {
      internal::MutexLock lock(&mutex_);
      closed_.store(true, std::memory_order_relaxed);
    }
    changed_.NotifyAll();
  }
  bool closed() const { return closed_.load(std::memory_order_relaxed); }

  // Whether a relief waits for the next callback rather than look.
  bool parked() const { return parked_.load(std::memory_order_relaxed); }

 private:
  // Either the holder's next Enter sees that a thread is parked, or that thread
  // sees that the state has changed: each writes before it reads.
  void Park(std::uint64_t seen) CLUSTER_REQUIRES(mutex_) {
    parked_.store(true, std::memory_order_seq_cst);
    if (state_.load(std::memory_order_seq_cst) != seen) return;
    while (!closed() && parked_.load(std::memory_order_relaxed))
      changed_.Wait(&mutex_);
  }
  void Unpark() {
    {
      internal::MutexLock lock(&mutex_);
      parked_.store(false, std::memory_order_relaxed);
    }
    changed_.NotifyAll();
  }

  // Counts up: odd while the holder is in a callback. The thread that moves it
  // from odd to even holds the role, so a value never comes twice.
  std::atomic<std::uint64_t> state_{0};
  std::atomic<bool> vacant_{true};
  std::atomic<bool> closed_{false};
  std::atomic<bool> parked_{false};
  internal::Mutex
      mutex_;  // of changed_; closed_ and parked_ are read without it
  internal::CondVar changed_;
};

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_RELIEF_H_
