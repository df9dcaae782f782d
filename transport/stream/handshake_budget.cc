#include "cluster/transport/stream/handshake_budget.h"

#include <algorithm>
#include <iterator>

namespace cluster {
namespace stream {

bool HandshakeBudget::Begin(const std::string& address, Clock::time_point now) {
  std::lock_guard<std::mutex> lock(mutex_);
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

// What has melted away is not given back a second time: a debt in the past is
// none.
void HandshakeBudget::Succeeded(const std::string& address) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = debts_.find(address);
  if (found != debts_.end()) found->second -= kHandshakeTime;
  all_ -= kAllHandshakeTime;
}

std::size_t HandshakeBudget::addresses() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return debts_.size();
}

}  // namespace stream
}  // namespace cluster
