// HandshakeBudget: how many handshakes of one address may fail.
//
// A TLS handshake costs the listener milliseconds of a processor and the
// dialler almost nothing, so strangers that fail one after the other could take
// all of it. Each address has a debt, which grows with each failure and melts
// away with time. While it is too high, nobody of that address begins.
//
// What it is: the debts, by the address without its port. What it is not: a
// bound of connections (transport/nng/identity_proof.h has that), or of those
// that begin and fall silent; and an honest server at the address of strangers
// has to wait like them.
//
// Memory: at most kAddressesMax debts; beyond that all other addresses share
// one. Threads: any. Errors: none.
//
//   HandshakeBudget budget;
//   if (budget.MayBegin("10.0.0.7", Clock::now())) ...   // else NextTurn
//   budget.Charge("10.0.0.7", Clock::now());             // it failed

#ifndef TRANSPORT_NNG_HANDSHAKE_BUDGET_H_
#define TRANSPORT_NNG_HANDSHAKE_BUDGET_H_

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>

#include "transport/nng/caretaker.h"

namespace cluster {
namespace nng {

class HandshakeBudget {
 public:
  // Failures at once, and how long each takes to melt away.
  static constexpr int kFailuresMax = 64;
  static constexpr std::chrono::milliseconds kFailureTime{20};
  static constexpr std::size_t kAddressesMax = 1024;

  bool MayBegin(const std::string& address, Clock::time_point now);
  void Charge(const std::string& address, Clock::time_point now);
  // When to ask again.
  static Clock::time_point NextTurn(Clock::time_point now) {
    return now + kFailureTime;
  }

 private:
  // Of each address, when its debt will have melted away.
  using Debts = std::map<std::string, Clock::time_point>;

  // Its own debt, or that which it shares, if there is one.
  Debts::iterator Find(const std::string& address);

  std::mutex mutex_;
  Debts debts_;  // guarded by mutex_
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_HANDSHAKE_BUDGET_H_
