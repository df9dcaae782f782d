// How long a round trip takes, beside the bare messaging libraries' in the same
// run.
//
//   bazel run -c opt //bench:latency
//   bazel run -c opt //bench:latency -- --benchmark_filter=pinned

#include <ostream>
#include <string>

#include "bench/bench_main.h"
#include "bench/cases.h"
#include "bench/results.h"

namespace cluster {
namespace bench {
namespace {

void AddCases() {
  for (const char* transport : kTransports) {
    AddRawLatencyCases(transport);
    AddClusterLatencyCases(transport);
    AddLoadedLatencyCases(transport);
  }
}

void AddLatencyRow(const Results& results, const std::string& name,
                   const std::string& raw_name, TextTable* table) {
  const auto figure = [&](const char* counter) {
    return results.Median(name, counter);
  };
  table->AddRow({name, Short(figure("p50_us")), Short(figure("p99_us")),
                 Short(figure("max_us")),
                 Ratio(figure("p50_us") / results.Median(raw_name, "p50_us")),
                 Ratio(figure("p99_us") / results.Median(raw_name, "p99_us")),
                 Short(figure("cpu_ns_per_item"))});
}

void Summarize(const Results& results, std::ostream& out) {
  TextTable table(
      {"round trip, us", "p50", "p99", "max", "p50/raw", "p99/raw", "cpu ns"});
  for (const char* transport : kTransports) {
    for (int bytes : kPayloadBytes) {
      const std::string raw = CaseName("raw_rtt", transport, bytes);
      AddLatencyRow(results, raw, "", &table);
      AddLatencyRow(results, CaseName("rtt", transport, bytes), raw, &table);
    }
    const std::string raw = CaseName("raw_rtt", transport, 64);
    const std::string pinned = CaseName("raw_rtt_pinned", transport, 64);
    AddLatencyRow(results, CaseName("rtt_receive", transport, 64), raw, &table);
    AddLatencyRow(results, pinned, "", &table);
    AddLatencyRow(results, CaseName("rtt_pinned", transport, 64), pinned,
                  &table);
    for (const char* kind : {"rtt_under_load/", "rtt_under_bulk/"}) {
      AddLatencyRow(results, absl::StrCat(kind, transport), raw, &table);
    }
  }
  table.Print(out);
}

}  // namespace
}  // namespace bench
}  // namespace cluster

int main(int argc, char** argv) {
  return cluster::bench::RunCases(argc, argv, absl::Seconds(0.7),
                                  cluster::bench::AddCases,
                                  cluster::bench::Summarize);
}
