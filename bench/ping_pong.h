// PingPong: round trips between server 1 and server 2 that live in their
// handlers: each pong sends the next ping, and no thread but the receiving ones
// takes part.
//
// What it is: a cluster of two, a client's handler that takes the time, an
// echo, and a count of whatever else arrives. What it is not: a load; others
// send that through `cluster()`.
//
// Threads: Run and Expect on one thread at a time; other envelopes on any.
// Errors: abort.
//
//   PingPong ping_pong("zmq", 64, Lane::kNormal);
//   ping_pong.Run(100, &samples);

#ifndef BENCH_PING_PONG_H_
#define BENCH_PING_PONG_H_

#include <cstddef>
#include <string>

#include "bench/delivery_count.h"
#include "bench/loopback_cluster.h"
#include "bench/rally.h"
#include "bench/samples.h"

namespace cluster {
namespace bench {

class PingPong {
 public:
  PingPong(const std::string& transport, std::size_t payload_bytes, Lane lane,
           Secrecy secrecy = Secrecy::kPlaintext);

  void Run(int times, Samples* samples) { rally_.Run(times, samples); }

  LoopbackCluster& cluster() { return cluster_; }
  // Counts what server 2 received beside pings.
  DeliveryCount& others() { return others_; }

  // The type of an envelope that is no ping.
  static constexpr MsgType kOther = static_cast<MsgType>(65);

 private:
  static constexpr MsgType kPing = static_cast<MsgType>(64);

  EnvelopeHandler Handler(Server& self);
  void Echo(Server& self, const EnvelopeView& envelope);

  Envelope ping_;
  Envelope pong_;

  Rally rally_;
  DeliveryCount others_;
  // Last: its handlers use the rest.
  LoopbackCluster cluster_;
};

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_PING_PONG_H_
