#include "transport/nng/handshake_budget.h"

#include <algorithm>
#include <iterator>

namespace cluster {
namespace nng {
namespace {

// Of all addresses that have no purse of their own.
constexpr char kOthers[] = "";

}  // namespace

HandshakeBudget::Debts::iterator HandshakeBudget::Find(
    const std::string& address, Clock::time_point now) {
  const auto found = paid_at_.find(address);
  if (found != paid_at_.end()) return found;
  if (paid_at_.size() >= kAddressesMax) {
    for (auto it = paid_at_.begin(); it != paid_at_.end();)
      it = it->second <= now ? paid_at_.erase(it) : std::next(it);
  }
  const bool full = paid_at_.size() >= kAddressesMax;
  return paid_at_.emplace(full ? kOthers : address, now).first;
}

bool HandshakeBudget::Take(const std::string& address, Clock::time_point now) {
  std::lock_guard<std::mutex> lock(mutex_);
  Clock::time_point& paid_at = Find(address, now)->second;
  const Clock::time_point after = std::max(paid_at, now) + kTurnTime;
  if (after > now + kTurnsMax * kTurnTime) return false;
  paid_at = after;
  return true;
}

void HandshakeBudget::GiveBack(const std::string& address) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = paid_at_.find(address);
  if (found == paid_at_.end()) found = paid_at_.find(kOthers);
  if (found != paid_at_.end()) found->second -= kTurnTime;
}

}  // namespace nng
}  // namespace cluster
