// Faults: a bad network on demand, around any transport, for tests.
//
// Faults makes decorators of transports, and controls them while servers run.
// It loses, doubles and delays frames (which reorders them), and cuts whole
// directions. Use it to test your own protocol with lost and late messages. The
// seed fixes the random numbers, but threads use them in any order;
// cluster/sim/ is deterministic.
//
// Thread-safe. The factory and its transports share the state of Faults, which
// you may destroy before them. Frames that are held back may cause an
// OnWritable that no sender waits for.
//
//   cluster::Faults faults(/*seed=*/1);
//   auto server = cluster::NewServer(
//       1, config, faults.Around(*cluster::FindTransport("zmq")));
//   cluster::FaultRates rates;
//   rates.lose = 0.05;
//   faults.SetRates(rates);
//   faults.Cut(1, 2);  // 2 hears nothing of 1 any more; 1 still hears 2
//   faults.Heal();

#ifndef CLUSTER_TRANSPORT_FAULT_FAULT_TRANSPORT_H_
#define CLUSTER_TRANSPORT_FAULT_FAULT_TRANSPORT_H_

#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "cluster/transport/transport.h"

namespace cluster {

// Probabilities per frame, from 0 to 1.
struct FaultRates {
  double lose = 0;
  double repeat = 0;  // sent twice
  double delay = 0;   // held back for up to delay_max; later ones overtake it
  absl::Duration delay_max = absl::Milliseconds(10);
};

// How many frames met each fate, over all transports.
struct FaultCounts {
  std::uint64_t passed = 0;
  std::uint64_t lost = 0;
  std::uint64_t repeated = 0;
  std::uint64_t delayed = 0;
};

class Faults {
 public:
  explicit Faults(std::uint64_t seed);

  // A factory of `inner`'s transports, with these faults around them.
  TransportFactory Around(TransportFactory inner) const;

  void SetRates(const FaultRates& rates);
  // From now on all frames from one server to the other are lost, one way only.
  void Cut(int from, int to);
  // The same for all frames from and to this server.
  void Isolate(int server);
  // Ends all faults. Frames that are held back are still delivered.
  void Heal();

  FaultCounts Counts() const;

  class State;  // shared with the transports

 private:
  std::shared_ptr<State> state_;
};

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_FAULT_FAULT_TRANSPORT_H_
