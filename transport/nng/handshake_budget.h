// HandshakeBudget: how many handshakes of one address may come to nothing.
//
// A TLS handshake costs the listener milliseconds of a processor and the
// dialler almost nothing, so strangers that fail or fall silent one after the
// other could take all of it. Each address has a debt, which grows with each
// handshake that begins and melts away with time; one that succeeds is given
// back. While the debt is too high, nobody of that address begins.
//
// What it is: the debts, by the address without its port. What it is not: a
// bound of connections (transport/nng/identity_proof.h has that); and an honest
// server at the address of strangers has to wait like them.
//
// Memory: at most kAddressesMax debts; beyond that all other addresses share
// one. Threads: any. Errors: none.
//
//   HandshakeBudget budget;
//   if (budget.Begin("10.0.0.7", Clock::now())) ...   // else NextTurn
//   budget.Succeeded("10.0.0.7");

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
  // Handshakes at once, and how long each takes to melt away.
  static constexpr int kHandshakesMax = 64;
  static constexpr std::chrono::milliseconds kHandshakeTime{20};
  static constexpr std::size_t kAddressesMax = 1024;

  // Whether a handshake may begin; then it is charged.
  bool Begin(const std::string& address, Clock::time_point now);
  // One that began has led to a proof: gives its charge back.
  void Succeeded(const std::string& address);
  // When to ask again.
  static Clock::time_point NextTurn(Clock::time_point now) {
    return now + kHandshakeTime;
  }

 private:
  // Of each address, when its debt will have melted away.
  using Debts = std::map<std::string, Clock::time_point>;

  // Its own debt, or that which it shares, if there is one.
  Debts::iterator Find(const std::string& address);
  // A new one of nothing; that which it shares, where there are too many.
  Debts::iterator Add(const std::string& address, Clock::time_point now);

  std::mutex mutex_;
  Debts debts_;  // guarded by mutex_
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_HANDSHAKE_BUDGET_H_
