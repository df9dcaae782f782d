#include "cluster/sim/traffic.h"

#include <iterator>

namespace cluster {

void SimTraffic::OnStart(SimServer& server) { Burst(&server, server.life()); }

void SimTraffic::Burst(SimServer* server, std::uint64_t life) {
  if (ceased_ || !server->running() || server->life() != life) return;
  if (!server->peers().empty()) {
    for (std::uint64_t n =
             world_->Below(static_cast<std::uint64_t>(options_.burst_max) + 1);
         n > 0; --n) {
      auto peer = server->peers().begin();
      std::advance(peer, world_->Below(server->peers().size()));
      SendRandom(server, world_->Below(8) == 0 ? kBroadcast : *peer);
    }
  }
  world_->After(world_->Between(absl::ZeroDuration(), options_.pause_max),
                [this, server, life] { Burst(server, life); });
}

void SimTraffic::OnEnvelope(SimServer& server, const EnvelopeView& envelope) {
  if (ceased_) return;
  if (options_.calls > 0 && envelope.correlation != 0 && !world_->Chance(0.1)) {
    server.Answer(envelope, RandomEnvelope(0)).IgnoreError();
  } else if (world_->Chance(options_.answer)) {
    SendRandom(&server, envelope.sender_id);
  }
}

void SimTraffic::SendRandom(SimServer* server, int pid) {
  const Envelope envelope = RandomEnvelope(pid);
  if (pid != kBroadcast && world_->Chance(options_.calls)) {
    server
        ->Call(pid, envelope,
               world_->Between(absl::Milliseconds(1), absl::Seconds(1)),
               [](const absl::StatusOr<EnvelopeView>&) {})
        .IgnoreError();
    return;
  }
  if (!world_->Chance(options_.options)) {
    server->Send(envelope);
    return;
  }
  SendOptions options;
  options.report_fate = true;
  if (world_->Below(2) == 0) options.replaces = 1 + world_->Below(3);
  if (world_->Below(2) == 0) {
    options.expires_after =
        world_->Between(absl::ZeroDuration(), absl::Seconds(1));
  }
  server->Send(envelope, options);
}

// Most payloads are small.
std::size_t SimTraffic::RandomPayloadBytes() {
  if (world_->Chance(options_.large))
    return world_->Below(options_.payload_bytes_max + 1);
  if (world_->Below(100) < 7)
    return world_->Below(options_.payload_bytes_max / 16 + 1);
  return world_->Below(65);
}

Envelope SimTraffic::RandomEnvelope(int pid) {
  Envelope envelope;
  envelope.pid = pid;
  envelope.msg_type = static_cast<MsgType>(world_->Below(80));
  envelope.term = world_->Below(4) == 0 ? world_->Random() : world_->Below(8);
  envelope.voted = world_->Below(2) == 0;
  envelope.lane = static_cast<Lane>(world_->Below(kLanes));
  if (world_->Below(4) == 0) envelope.group = world_->Below(3);
  if (world_->Below(8) == 0) envelope.correlation = world_->Random();
  // Cheap bytes that differ in a shifted or mixed-up payload.
  const std::uint64_t first = world_->Random();
  envelope.payload.resize(RandomPayloadBytes());
  for (std::size_t i = 0; i < envelope.payload.size(); ++i)
    envelope.payload[i] = static_cast<char>((first >> (i % 57)) + i * 131);
  return envelope;
}

}  // namespace cluster
