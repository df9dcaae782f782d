// Limits how many TLS handshakes may fail.
//
// A handshake costs the listener much and the dialler almost nothing, so
// strangers that fail or fall silent could take a whole processor. Each
// address, without its port, has a debt. Each handshake that begins adds to it,
// and success or time takes that away. While the debt is too high, no handshake
// with that address begins. All addresses together have one more debt, so that
// many cannot take what one may not. Thread-safe.
//
//   if (budget.Begin("10.0.0.7", Clock::now())) ...   // else ask again later
//   budget.Succeeded("10.0.0.7");

#ifndef CLUSTER_TRANSPORT_STREAM_HANDSHAKE_BUDGET_H_
#define CLUSTER_TRANSPORT_STREAM_HANDSHAKE_BUDGET_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <map>
#include <string>

#include "cluster/base/mutex.h"

namespace cluster::internal {
namespace stream {

class HandshakeBudget {
 public:
  using Clock = std::chrono::steady_clock;

  // Handshakes at once, and the time that pays for one: when to ask again.
  static constexpr int kHandshakesMax = 64;
  static constexpr std::chrono::milliseconds kHandshakeTime{20};
  // The same for all addresses together.
  static constexpr int kAllHandshakesMax = 512;
  static constexpr std::chrono::milliseconds kAllHandshakeTime{2};

  // Charges a handshake if it may begin; returns whether it may.
  bool Begin(const std::string& address, Clock::time_point now) {
    MutexLock lock(&mutex_);
    if (all_ >= now + kAllHandshakesMax * kAllHandshakeTime) return false;
    if (debts_.size() >= kAddressesMax) {
      for (auto it = debts_.begin(); it != debts_.end();)
        it = it->second <= now ? debts_.erase(it) : std::next(it);
    }
    Clock::time_point& debt = debts_.emplace(address, now).first->second;
    if (debt >= now + kHandshakesMax * kHandshakeTime) return false;
    debt = std::max(debt, now) + kHandshakeTime;
    all_ = std::max(all_, now) + kAllHandshakeTime;
    return true;
  }

  // A handshake that began has proven a peer: gives its charge back. If time
  // has paid for it already, that grants nothing: a debt in the past counts as
  // zero.
  void Succeeded(const std::string& address) {
    MutexLock lock(&mutex_);
    const auto found = debts_.find(address);
    if (found != debts_.end()) found->second -= kHandshakeTime;
    all_ -= kAllHandshakeTime;
  }

  std::size_t addresses() const {
    MutexLock lock(&mutex_);
    return debts_.size();
  }

 private:
  // More than can be in debt at a time, under the common limit.
  static constexpr std::size_t kAddressesMax = 2048;

  mutable Mutex mutex_;
  // When each debt will be paid.
  std::map<std::string, Clock::time_point> debts_ CLUSTER_GUARDED_BY(mutex_);
  Clock::time_point all_ CLUSTER_GUARDED_BY(mutex_){};
};

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_HANDSHAKE_BUDGET_H_
