// Sender: one server's part in a scenario, a plan of sends in random order.
//
// One thread. Borrows server and ledger. A failing Send fails the running test
// and ends the plan.
//
//   Sender sender(&server, ids, load, seed, &ledger);
//   sender.PlanUnicasts(2);
//   sender.Run();

#ifndef TESTS_SCENARIOS_SENDER_H_
#define TESTS_SCENARIOS_SENDER_H_

#include <cstdint>
#include <vector>

#include "cluster/server.h"
#include "tests/harness/delivery_ledger.h"
#include "tests/harness/envelope_source.h"
#include "tests/scenarios/scenario.h"

namespace cluster::internal {

class Sender {
 public:
  enum class Kind {
    kUnicast,
    kBroadcast,
    kMulticastToAll,  // to the sender too
    kMulticastToSome,
  };

  // `all` are the ids of the cluster. Its servers share load.payload_bytes
  // evenly.
  Sender(Server* server, std::vector<int> all, const Load& load,
         std::uint64_t seed, DeliveryLedger* ledger);

  // Plans load.envelopes_min to envelopes_max unicasts to `receiver`.
  void PlanUnicasts(int receiver);
  // Plans as many broadcasts and multicasts, mixed.
  void PlanMulticasts();
  // Plans load.large_payloads unicasts.
  void PlanLarge(int receiver);

  // Sends the whole plan, in random order.
  void Run();

 private:
  struct Step {
    Kind kind;
    int receiver;
    bool large;
  };

  std::uint64_t DrawCount();
  std::uint64_t Deliveries() const;
  bool Do(const Step& step, Envelope envelope);
  bool Unicast(int receiver, Envelope envelope);
  bool Broadcast(Envelope envelope);
  bool Multicast(const std::vector<int>& receivers, Envelope envelope);
  std::vector<int> SomeOf();

  Server* const server_;
  const std::vector<int> all_;
  const Load load_;
  const std::uint64_t seed_;
  DeliveryLedger* const ledger_;
  EnvelopeSource draws_;
  std::vector<Step> steps_;
};

}  // namespace cluster::internal

#endif  // TESTS_SCENARIOS_SENDER_H_
