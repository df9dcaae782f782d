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

bool HandshakeBudget::MayBegin(const std::string& address,
                               Clock::time_point now) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = Find(address);
  return found == debts_.end() ||
         found->second < now + kFailuresMax * kFailureTime;
}

void HandshakeBudget::Charge(const std::string& address,
                             Clock::time_point now) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = debts_.find(address);
  if (found == debts_.end()) {
    if (debts_.size() >= kAddressesMax) {
      for (auto it = debts_.begin(); it != debts_.end();)
        it = it->second <= now ? debts_.erase(it) : std::next(it);
    }
    const bool full = debts_.size() >= kAddressesMax;
    found = debts_.emplace(full ? kOthers : address, now).first;
  }
  found->second = std::max(found->second, now) + kFailureTime;
}

}  // namespace nng
}  // namespace cluster
