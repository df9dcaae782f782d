#include "bench/ping_pong.h"

#include "bench/record.h"
#include "benchmark/benchmark.h"
#include "cluster/base/check.h"

namespace cluster {
namespace bench {

namespace {

Envelope Message(int pid, MsgType type, std::size_t payload_bytes, Lane lane) {
  Envelope envelope;
  envelope.pid = pid;
  envelope.msg_type = type;
  envelope.lane = lane;
  envelope.payload.assign(payload_bytes, 'x');
  return envelope;
}

}  // namespace

// The messages are complete before the servers that read them start.
PingPong::PingPong(const std::string& transport, std::size_t payload_bytes,
                   Lane lane, Secrecy secrecy, Threads threads)
    : ping_(Message(2, kPing, payload_bytes, lane)),
      pong_(Message(1, kPing, payload_bytes, lane)),
      // The first ping of a Run may wait for room; those in a handler cannot.
      rally_([this] { SendOrDie(cluster_.server(1), ping_); }),
      cluster_(transport, Scheme::kTcp, 2,
               [this](Server& self) { return Handler(self); },
               {secrecy, threads}) {}

EnvelopeHandler PingPong::Handler(Server& self) {
  if (self.Pid() == 1) {
    return [this](const EnvelopeView& envelope) {
      benchmark::DoNotOptimize(ReadFields(envelope));
      rally_.OnPong();
    };
  }
  return [this, &self](const EnvelopeView& envelope) {
    benchmark::DoNotOptimize(ReadFields(envelope));
    if (envelope.msg_type == kPing) {
      Echo(self, envelope);
    } else {
      others_.Add(1);
    }
  };
}

void PingPong::Echo(Server& self, const EnvelopeView& envelope) {
  pong_.term = envelope.term;
  SendOrDie(self, pong_);
}

}  // namespace bench
}  // namespace cluster
