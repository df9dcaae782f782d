// rtt_under_load: round trips while the same link carries a stream of small
// envelopes, at half of the rate that it can. rtt_under_bulk: of urgent
// envelopes, while payloads of 64 MiB go to the same peer in the bulk lane.

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "bench/cases.h"
#include "bench/measure.h"
#include "bench/ping_pong.h"
#include "transport/check.h"

namespace cluster {
namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kPingBytes = 64;
constexpr std::size_t kBulkBytes = 64u << 20;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Envelope OtherEnvelope(std::size_t payload_bytes, Lane lane) {
  Envelope envelope;
  envelope.pid = 2;
  envelope.msg_type = PingPong::kOther;
  envelope.lane = lane;
  envelope.payload.assign(payload_bytes, 'y');
  return envelope;
}

// Envelopes per second of an otherwise idle link.
double MostPerSecond(PingPong* ping_pong, const Envelope& envelope) {
  constexpr int kRound = 20000;
  const double seconds = absl::ToDoubleSeconds(MeasuringTime()) / 4;
  const Clock::time_point start = Clock::now();
  double sent = 0;
  do {
    ping_pong->others().Expect(kRound);
    for (int i = 0; i < kRound; ++i) {
      SendOrDie(ping_pong->cluster().server(1), envelope);
    }
    ping_pong->others().Wait();
    sent += kRound;
  } while (SecondsSince(start) < seconds);
  return sent / SecondsSince(start);
}

// Sends in small bursts, so many a second in the mean, until told to stop;
// returns how many.
std::int64_t SendPaced(Server* server, const Envelope& envelope,
                       double per_second, const std::atomic<bool>& stop) {
  constexpr std::chrono::microseconds kPause{200};
  const Clock::time_point start = Clock::now();
  std::int64_t sent = 0;
  while (!stop) {
    const auto due =
        static_cast<std::int64_t>(per_second * SecondsSince(start));
    for (; sent < due; ++sent) SendOrDie(*server, envelope);
    std::this_thread::sleep_for(kPause);
  }
  return sent;
}

void MeasureUnderLoad(benchmark::State& state, const std::string& transport) {
  PingPong ping_pong(transport, kPingBytes, Lane::kNormal);
  const Envelope envelope = OtherEnvelope(kPingBytes, Lane::kNormal);
  const double per_second = MostPerSecond(&ping_pong, envelope) / 2;
  std::atomic<bool> stop{false};
  std::int64_t sent = 0;
  const Clock::time_point start = Clock::now();
  std::thread stream([&] {
    sent =
        SendPaced(&ping_pong.cluster().server(1), envelope, per_second, stop);
  });
  MeasureRoundTrips(state, [&](int times, Samples* samples) {
    ping_pong.Run(times, samples);
  });
  stop = true;
  stream.join();
  state.counters["load_wanted_per_second"] = per_second;
  state.counters["load_per_second"] =
      static_cast<double>(sent) / SecondsSince(start);
}

// Keeps the bulk lane full until told to stop.
void SendBulk(Server* server, const std::atomic<bool>& stop,
              DeliveryCount* begun) {
  const Envelope bulk = OtherEnvelope(kBulkBytes, Lane::kBulk);
  bool first = true;
  while (!stop) {
    const absl::Status status = server->Send(bulk, absl::Milliseconds(100));
    CLUSTER_CHECK(status.ok() || absl::IsDeadlineExceeded(status),
                  status.ToString().c_str());
    if (first) begun->Add(1);
    first = false;
  }
}

void MeasureUnderBulk(benchmark::State& state, const std::string& transport) {
  PingPong ping_pong(transport, kPingBytes, Lane::kUrgent);
  Server& server = ping_pong.cluster().server(1);
  std::atomic<bool> stop{false};
  DeliveryCount begun;
  begun.Expect(1);
  std::thread bulk([&] { SendBulk(&server, stop, &begun); });
  begun.Wait();
  const std::uint64_t before = server.Stats().Peer(2)->bytes_sent;
  const Clock::time_point start = Clock::now();
  MeasureRoundTrips(state, [&](int times, Samples* samples) {
    ping_pong.Run(times, samples);
  });
  state.counters["bulk_bytes_per_second"] =
      static_cast<double>(server.Stats().Peer(2)->bytes_sent - before) /
      SecondsSince(start);
  stop = true;
  bulk.join();
}

}  // namespace

void AddLoadedLatencyCases(const std::string& transport) {
  AddCase(absl::StrCat("rtt_under_load/", transport),
          [transport](benchmark::State& state) {
            MeasureUnderLoad(state, transport);
          });
  AddCase(absl::StrCat("rtt_under_bulk/", transport),
          [transport](benchmark::State& state) {
            MeasureUnderBulk(state, transport);
          });
}

}  // namespace bench
}  // namespace cluster
