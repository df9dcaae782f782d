// Relief: lets two threads share a role, of which one holds it and the other
// takes over when the holder is held up in a callback.
//
// What it is: how a transport goes on receiving while OnDrained, in which user
// code runs, blocks: two threads run the same loop, one receives, and the other
// looks every 50 ms whether the first is still inside the callback that it was
// in at the last look. If so, the role moves; the first finds out when its
// callback returns and waits as the relief from then on.
// What it is not: a thread pool, or a lock against others than the role's two
// (or more) threads.
//
// Threads: any number may call Acquire, Look and Close; Enter, Leave and Call
// are the holder's alone. What a holder wrote before a callback is visible to
// the one that takes over. Cost: a callback costs two uncontended atomic
// operations, an idle relief 20 wake-ups a second. Errors: none.
//
//   void Loop() {
//     while (relief_.Acquire()) {
//       do {
//         if (!Receive()) return;   // after Close
//       } while (relief_.Call([&] { handler_->OnDrained(); }));
//     }
//   }

#ifndef TRANSPORT_RELIEF_H_
#define TRANSPORT_RELIEF_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace cluster {

class Relief {
 public:
  // How often the relief looks; the role moves within twice that.
  static constexpr std::chrono::milliseconds kLookInterval{50};

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
    std::unique_lock<std::mutex> lock(mutex_);
    while (!closed()) {
      if (Look(&seen)) return true;
      changed_.wait_for(lock, kLookInterval);
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
    return state_.fetch_add(1, std::memory_order_release) + 1;
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
      std::lock_guard<std::mutex> lock(mutex_);
      closed_.store(true, std::memory_order_relaxed);
    }
    changed_.notify_all();
  }
  bool closed() const { return closed_.load(std::memory_order_relaxed); }

 private:
  // Counts up: odd while the holder is in a callback. Whoever moves it from odd
  // to even holds the role, so a value is never met twice.
  std::atomic<std::uint64_t> state_{0};
  std::atomic<bool> vacant_{true};
  std::atomic<bool> closed_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace cluster

#endif  // TRANSPORT_RELIEF_H_
