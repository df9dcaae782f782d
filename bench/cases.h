// Names and registers cases: kind/transport/bytes, as in "unicast/zmq/64".
//
// Call from main, before the benchmarks run.

#ifndef BENCH_CASES_H_
#define BENCH_CASES_H_

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/measure.h"
#include "benchmark/benchmark.h"

namespace cluster {
namespace bench {

inline constexpr std::array<const char*, 3> kTransports = {"zmq", "nng", "tcp"};
inline constexpr std::array<int, 4> kPayloadBytes = {64, 1024, 65536, 1048576};
inline constexpr std::array<int, 5> kMeshSizes = {2, 4, 8, 16, 32};
// In shorter rounds no connection is ever busy, and the case would measure the
// latency of one envelope on each.
inline constexpr std::int64_t kMeshRoundsLeast = 5000;
// More sending threads than this would only compete for the processors.
inline constexpr int kMeshSendersMax = 4;
inline constexpr int kIdleServers = 32;
inline constexpr int kGroups = 1000;

// On one long line, all in one run.
inline constexpr char kRawWan[] = "raw_wan/tcp";
inline constexpr char kWan[] = "unicast_wan/";
inline constexpr char kWideWan[] = "unicast_wan_window32/";

// For zmq only: the raw sockets of the others have both directions anyway.
inline constexpr char kOneWayPinned[] = "raw_rtt_oneway_pinned";
inline constexpr char kMailboxPinned[] = "raw_rtt_mailbox_pinned";
inline constexpr char kCalledRtt[] = "called_rtt";
inline constexpr char kCalledPinned[] = "called_rtt_pinned";
inline bool HasOneWayEcho(const std::string& transport) {
  return transport == "zmq";
}

inline bool HasSpin(const std::string& transport) { return transport == "tcp"; }

inline std::string CaseName(const std::string& kind,
                            const std::string& transport, int bytes) {
  return absl::StrCat(kind, "/", transport, "/", bytes);
}

// `measure(state)` makes one whole measurement (measure.h).
template <typename Measure>
void AddCase(const std::string& name, Measure measure) {
  benchmark::RegisterBenchmark(
      name.c_str(),
      [name, measure = std::move(measure)](benchmark::State& state) {
        BeginMeasurement(name);
        for (auto _ : state) measure(state);
      });
}

// Each is in a file of its own.
void AddRawThroughputCases(const std::string& transport, int bytes);
void AddClusterThroughputCases(const std::string& transport, int bytes);
void AddCopyCases(const std::string& transport, int bytes);
void AddMeshCases(const std::string& transport);
void AddLimitCases(const std::string& transport);
void AddCalledCases(const std::string& transport);
void AddIdleCases(const std::string& transport);
void AddGroupsCases(const std::string& transport);
void AddRawWanCase();
void AddWanCases(const std::string& transport);
void AddCodecCases();
void AddRawLatencyCases(const std::string& transport);
void AddCalledLatencyCases(const std::string& transport);
void AddClusterLatencyCases(const std::string& transport);
void AddLoadedLatencyCases(const std::string& transport);
void AddHopCases();

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_CASES_H_
