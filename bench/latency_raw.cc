// raw_rtt: a round trip on the bare library, the dialling side waiting in a
// blocking call. raw_rtt_pinned: with the whole process on one core, where no
// placement of threads blurs the cost of their switches.

#include <memory>
#include <string>

#include "absl/types/optional.h"
#include "bench/cases.h"
#include "bench/measure.h"
#include "bench/process_usage.h"
#include "bench/raw_link.h"
#include "bench/record.h"

namespace cluster {
namespace bench {
namespace {

void MeasureRawRoundTrips(benchmark::State& state, const std::string& transport,
                          int bytes, bool pinned) {
  absl::optional<PinnedToOneCore> one_core;
  if (pinned) one_core.emplace();
  const auto echo =
      NewRawEcho(transport, RecordBytes(static_cast<std::size_t>(bytes)));
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
  for (int bytes : kPayloadBytes) {
    AddCase(CaseName("raw_rtt", transport, bytes),
            [transport, bytes](benchmark::State& state) {
              MeasureRawRoundTrips(state, transport, bytes, false);
            });
  }
  AddCase(CaseName("raw_rtt_pinned", transport, 64),
          [transport](benchmark::State& state) {
            MeasureRawRoundTrips(state, transport, 64, true);
          });
}

}  // namespace bench
}  // namespace cluster
