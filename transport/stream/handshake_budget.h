// HandshakeBudget: how many TLS handshakes may come to nothing.
//
// A handshake costs the listener a part of a millisecond of a processor and the
// dialler almost nothing, so strangers that fail or fall silent one after the
// other could take all of it. Each address, without its port, has a debt, which
// grows with each handshake that begins and melts away with time; one that
// succeeds is given back. While the debt is too high, nobody of that address
// begins. All addresses together have one more debt, so that many cannot take
// what one may not. An honest server at the address of strangers has to wait
// like them.
//
// Threads: any. Errors: none.
//
//   HandshakeBudget budget;
//   if (budget.Begin("10.0.0.7", Clock::now())) ...   // else NextTurn
//   budget.Succeeded("10.0.0.7");

#ifndef CLUSTER_TRANSPORT_STREAM_HANDSHAKE_BUDGET_H_
#define CLUSTER_TRANSPORT_STREAM_HANDSHAKE_BUDGET_H_

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>

namespace cluster {
namespace stream {

class HandshakeBudget {
 public:
  using Clock = std::chrono::steady_clock;

  // Handshakes at once, and how long each takes to melt away.
  static constexpr int kHandshakesMax = 64;
  static constexpr std::chrono::milliseconds kHandshakeTime{20};
  // The same for all addresses together.
  static constexpr int kAllHandshakesMax = 512;
  static constexpr std::chrono::milliseconds kAllHandshakeTime{2};

  // Whether a handshake may begin; then it is charged.
  bool Begin(const std::string& address, Clock::time_point now);
  // One that began has proven a peer: gives its charge back.
  void Succeeded(const std::string& address);
  // When to ask again.
  static Clock::time_point NextTurn(Clock::time_point now) {
    return now + kHandshakeTime;
  }

  std::size_t addresses() const;

 private:
  // More than can be in debt at a time, given what all may have.
  static constexpr std::size_t kAddressesMax = 2048;

  mutable std::mutex mutex_;
  // When each debt will have melted away. Guarded by mutex_, as is all_.
  std::map<std::string, Clock::time_point> debts_;
  Clock::time_point all_{};
};

}  // namespace stream
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_STREAM_HANDSHAKE_BUDGET_H_
