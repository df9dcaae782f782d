#include "transport/nng/handshake_budget.h"

#include <algorithm>
#include <iterator>

namespace cluster {
namespace nng {
namespace {

// Of all addresses that have no debt of their own.
constexpr char kOthers[] = "";

}  // namespace

HandshakeBudget::Debts::iterator HandshakeBudget::Find(
    const std::string& address) {
  const auto found = debts_.find(address);
  return found != debts_.end() ? found : debts_.find(kOthers);
}

bool HandshakeBudget::Begin(const std::string& address, Clock::time_point now) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = Find(address);
  if (found != debts_.end() &&
      found->second >= now + kHandshakesMax * kHandshakeTime) {
    return false;
  }
  found = debts_.find(address);
  if (found == debts_.end()) found = Add(address, now);
  found->second = std::max(found->second, now) + kHandshakeTime;
  return true;
}

HandshakeBudget::Debts::iterator HandshakeBudget::Add(
    const std::string& address, Clock::time_point now) {
  if (debts_.size() >= kAddressesMax) {
    for (auto it = debts_.begin(); it != debts_.end();)
      it = it->second <= now ? debts_.erase(it) : std::next(it);
  }
  const bool full = debts_.size() >= kAddressesMax;
  return debts_.emplace(full ? kOthers : address, now).first;
}

// What has melted away is not given back a second time: a debt in the past is
// none.
void HandshakeBudget::Succeeded(const std::string& address) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = Find(address);
  if (found != debts_.end()) found->second -= kHandshakeTime;
}

}  // namespace nng
}  // namespace cluster
