// HandshakeBudget: how many handshakes may be begun for one address.
//
// A TLS handshake costs the listener milliseconds of a processor and the
// dialler almost nothing, so strangers that begin one after the other could
// take all of it. Each address has a purse of turns: a link takes one before
// its handshake and gives it back when it has proven who it is; what comes to
// nothing has cost its turn, and turns come back slowly.
//
// What it is: the purses, by the address without its port. What it is not: a
// bound of connections (transport/nng/identity_proof.h has that), or of use to
// an honest server at the address of a stranger, which has to wait like that
// one.
//
// Memory: at most kAddressesMax purses; with so many that are in use, all other
// addresses share one. Threads: any. Errors: none.
//
//   HandshakeBudget budget;
//   if (budget.Take("10.0.0.7", Clock::now())) ...   // else later: NextTurn
//   budget.GiveBack("10.0.0.7");                     // it was honest

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
  static constexpr int kTurnsMax = 64;
  static constexpr std::chrono::milliseconds kTurnTime{33};  // one comes back
  static constexpr std::size_t kAddressesMax = 1024;

  bool Take(const std::string& address, Clock::time_point now);
  void GiveBack(const std::string& address);
  // When a turn will have come back, at the latest.
  static Clock::time_point NextTurn(Clock::time_point now) {
    return now + kTurnTime;
  }

 private:
  // Of each address, when it will have all its turns again.
  using Debts = std::map<std::string, Clock::time_point>;

  Debts::iterator Find(const std::string& address, Clock::time_point now);

  std::mutex mutex_;
  Debts paid_at_;  // guarded by mutex_
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_HANDSHAKE_BUDGET_H_
