// rtt_under_load: round trips while the same connection carries a stream of
// small envelopes, at half of its highest rate. rtt_under_bulk: round trips of
// urgent envelopes, while payloads of 64 MiB go to the same peer in the bulk
// lane.
//
// The stream is as even as a thread can make it: it yields between envelopes
// and does not sleep. A sleep ends tens of microseconds late, when hundreds of
// envelopes are due at once. A ping behind such a burst would measure the
// pacing. Most pings would fall between bursts, and the median would be that of
// an idle connection. The price is that the stream's thread takes all idle time
// of a processor. On a busy machine yielding makes bursts as well.
// load_items_per_burst shows them; then look at p50_by_time_us.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "bench/cases.h"
#include "bench/measure.h"
#include "bench/ping_pong.h"
#include "cluster/base/check.h"

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

// The highest rate of an otherwise idle connection, in envelopes per second.
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

struct Stream {
  std::int64_t sent = 0;
  std::int64_t bursts = 0;  // how often an envelope was due
};

// Far too few to fill the queue, which would refuse the handlers' pings: those
// cannot wait.
constexpr std::int64_t kBacklogMost = 30000;

// Sends at this rate, or as fast as the receiver takes them, until `stop`.
Stream SendPaced(PingPong* ping_pong, const Envelope& envelope,
                 double per_second, const std::atomic<bool>& stop) {
  Server* const server = &ping_pong->cluster().server(1);
  const std::int64_t taken_before = ping_pong->others().Count();
  const Clock::time_point start = Clock::now();
  Stream stream;
  while (!stop) {
    const std::int64_t taken = ping_pong->others().Count() - taken_before;
    const std::int64_t due =
        std::min(static_cast<std::int64_t>(per_second * SecondsSince(start)),
                 taken + kBacklogMost);
    if (stream.sent < due) ++stream.bursts;
    for (; stream.sent < due; ++stream.sent) SendOrDie(*server, envelope);
    std::this_thread::yield();
  }
  return stream;
}

void MeasureUnderLoad(benchmark::State& state, const std::string& transport) {
  PingPong ping_pong(transport, kPingBytes, Lane::kNormal);
  const Envelope envelope = OtherEnvelope(kPingBytes, Lane::kNormal);
  const double per_second = MostPerSecond(&ping_pong, envelope) / 2;
  std::atomic<bool> stop{false};
  Stream stream;
  const Clock::time_point start = Clock::now();
  std::thread sender(
      [&] { stream = SendPaced(&ping_pong, envelope, per_second, stop); });
  MeasureRoundTrips(state, [&](int times, Samples* samples) {
    ping_pong.Run(times, samples);
  });
  stop = true;
  sender.join();
  const auto sent = static_cast<double>(stream.sent);
  state.counters["load_wanted_per_second"] = per_second;
  state.counters["load_per_second"] = sent / SecondsSince(start);
  state.counters["load_items_per_burst"] =
      sent / static_cast<double>(std::max<std::int64_t>(1, stream.bursts));
}

// Keeps the bulk lane full until `stop`.
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
