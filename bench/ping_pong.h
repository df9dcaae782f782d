// PingPong: round trips between two servers whose handlers answer each other.
//
// Each pong sends the next ping, so only the receiving threads take part. The
// client's handler measures the time, the other one echoes and counts all other
// envelopes. Senders of a load use `cluster()`. Call Run and Expect from one
// thread at a time. Errors abort.
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
           Secrecy secrecy = Secrecy::kPlaintext,
           Threads threads = Threads::kEachItsOwn);

  void Run(int times, Samples* samples) { rally_.Run(times, samples); }

  LoopbackCluster& cluster() { return cluster_; }
  // Counts the envelopes of server 2 that are no pings.
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
