// raw_rtt: a round trip on the bare library. The dialling side waits in a
// blocking call. raw_rtt_pinned: with the whole process on one core, so the
// placement of threads does not change the cost of a switch.
// raw_rtt_oneway_pinned: the same over two one-way connections, like those of
// our servers. raw_rtt_mailbox_pinned: also with a thread on each side that
// gets the arrivals, like an application that waits in Receive.

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/types/optional.h"
#include "bench/cases.h"
#include "bench/measure.h"
#include "bench/process_usage.h"
#include "bench/raw_fanout.h"
#include "bench/raw_zmq.h"
#include "bench/record.h"

namespace cluster {
namespace bench {
namespace {

using EchoFactory = std::function<std::unique_ptr<RawEcho>()>;

void MeasureRawRoundTrips(benchmark::State& state, const EchoFactory& new_echo,
                          bool pinned) {
  absl::optional<PinnedToOneCore> one_core;
  if (pinned) one_core.emplace();
  const auto echo = new_echo();
  MeasureRoundTrips(state, [&](int times, Samples* samples) {
    for (int i = 0; i < times; ++i) {
      const auto start = std::chrono::steady_clock::now();
      echo->RoundTrip();
      samples->Add(std::chrono::steady_clock::now() - start);
    }
  });
}

}  // namespace

void AddRawLatencyCases(const std::string& transport) {
  const auto raw = [&transport](int bytes) {
    return [transport, bytes] {
      return NewRawEcho(transport,
                        RecordBytes(static_cast<std::size_t>(bytes)));
    };
  };
  for (int bytes : kPayloadBytes) {
    AddCase(CaseName("raw_rtt", transport, bytes),
            [new_echo = raw(bytes)](benchmark::State& state) {
              MeasureRawRoundTrips(state, new_echo, false);
            });
  }
  AddCase(CaseName("raw_rtt_pinned", transport, 64),
          [new_echo = raw(64)](benchmark::State& state) {
            MeasureRawRoundTrips(state, new_echo, true);
          });
  if (!HasOneWayEcho(transport)) return;
  AddCase(CaseName(kOneWayPinned, transport, 64), [](benchmark::State& state) {
    MeasureRawRoundTrips(
        state, [] { return NewZmqOneWayEcho(RecordBytes(64)); }, true);
  });
  AddCase(CaseName(kMailboxPinned, transport, 64), [](benchmark::State& state) {
    MeasureRawRoundTrips(
        state, [] { return NewZmqMailboxEcho(RecordBytes(64)); }, true);
  });
}

}  // namespace bench
}  // namespace cluster
