// SimTraffic: an application that sends bursts of random envelopes to random
// peers, in all lanes and sizes, and answers some of those that it takes. Some may
// expire, or replace earlier ones, and some are calls.
//
// It is the load of RunSimulation. One object serves all servers, on one
// thread. It borrows the world. It does not repeat an envelope that a session
// refuses.

#ifndef CLUSTER_SIM_TRAFFIC_H_
#define CLUSTER_SIM_TRAFFIC_H_

#include <cstddef>
#include <string>

#include "absl/time/time.h"
#include "cluster/sim/sim_server.h"
#include "cluster/sim/world.h"

namespace cluster {

struct SimTrafficOptions {
  absl::Duration pause_max = absl::Milliseconds(40);  // between bursts
  int burst_max = 16;                                 // envelopes
  std::size_t payload_bytes_max = 20u << 10;          // now and then:
  double large = 0.01;   // probability of up to all of it, in chunks
  double answer = 0.05;  // probability that an envelope is answered at once
  double options = 0;    // that it may expire, or replace an earlier one
  double calls = 0;      // that it is a call, to a peer that mostly answers
};

class SimTraffic final : public SimApplication {
 public:
  SimTraffic(World* world, const SimTrafficOptions& options)
      : world_(world), options_(options) {}

  // From now on no burst begins, and no envelope gets an answer.
  void Cease() { ceased_ = true; }

  void OnStart(SimServer& server) override;
  void OnEnvelope(SimServer& server, const EnvelopeView& envelope) override;

 private:
  void Burst(SimServer* server, std::uint64_t life);
  void SendRandom(SimServer* server, int pid);
  Envelope RandomEnvelope(int pid);
  std::size_t RandomPayloadBytes();

  World* const world_;
  const SimTrafficOptions options_;
  bool ceased_ = false;
};

}  // namespace cluster

#endif  // CLUSTER_SIM_TRAFFIC_H_
