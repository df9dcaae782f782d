// Flood: a thread that sends from one server without end.
//
// It is load for tests that stop, restart, add and remove servers. Sends may
// fail because there is no room, the receiver is no member or the server has
// stopped. Any other failure fails the test. The flood borrows the server, so
// destroy the flood first. It calls `on_accepted` on its thread.
//
//   Flood flood(&server, {2, 3}, seed,
//               [&](int receiver, const EnvelopeView& envelope) {
//                 ledger.Sent(receiver, envelope);
//               });

#ifndef TESTS_HARNESS_FLOOD_H_
#define TESTS_HARNESS_FLOOD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "cluster/server.h"

namespace cluster::internal {

class Flood {
 public:
  // Called with the envelope as the receiver gets it: id and sender filled in.
  using Accepted = std::function<void(int receiver, const EnvelopeView&)>;

  Flood(Server* server, std::vector<int> receivers, std::uint64_t seed,
        Accepted on_accepted);
  ~Flood() { Stop(); }

  // Ends it. Idempotent.
  void Stop();

 private:
  void Run(std::uint64_t seed);

  Server* const server_;
  const std::vector<int> receivers_;
  const Accepted on_accepted_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_FLOOD_H_
