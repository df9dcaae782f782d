// How many envelopes and bytes a second, beside what the bare messaging
// libraries carry in the same run.
//
//   bazel run -c opt //bench:throughput
//   bazel run -c opt //bench:throughput -- --benchmark_filter='/zmq/64$'

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
    for (int bytes : kPayloadBytes) {
      AddRawThroughputCases(transport, bytes);
      AddClusterThroughputCases(transport, bytes);
    }
    AddMeshCases(transport);
  }
  AddCodecCases();
}

// Rates of some kinds of cases, then ratios of pairs of them.
struct Columns {
  std::vector<std::string> kinds;
  std::vector<std::pair<std::string, std::string>> ratios;
};

void PrintRates(const Results& results, const Columns& columns,
                std::ostream& out) {
  std::vector<std::string> titles = {"envelopes/s"};
  for (const auto& kind : columns.kinds) titles.push_back(kind);
  for (const auto& [kind, base] : columns.ratios) {
    titles.push_back(absl::StrCat(kind, "/", base));
  }
  TextTable table(titles);
  for (const char* transport : kTransports) {
    for (int bytes : kPayloadBytes) {
      const auto rate = [&](const std::string& kind) {
        return results.Rate(CaseName(kind, transport, bytes));
      };
      std::vector<std::string> row = {
          absl::StrCat(transport, " ", bytes, " B")};
      for (const auto& kind : columns.kinds) row.push_back(Short(rate(kind)));
      for (const auto& [kind, base] : columns.ratios) {
        row.push_back(Ratio(rate(kind) / rate(base)));
      }
      table.AddRow(std::move(row));
    }
  }
  table.Print(out);
}

void PrintCosts(const Results& results, std::ostream& out) {
  TextTable table({"cost per envelope", "raw allocs", "unicast", "receive",
                   "raw cpu ns", "batched", "unicast", "receive"});
  for (const char* transport : kTransports) {
    for (int bytes : kPayloadBytes) {
      const auto cost = [&](const char* kind, const char* counter) {
        return Short(results.Median(CaseName(kind, transport, bytes), counter));
      };
      table.AddRow(
          {absl::StrCat(transport, " ", bytes, " B"),
           cost("raw", "allocs_per_item"), cost("unicast", "allocs_per_item"),
           cost("receive", "allocs_per_item"), cost("raw", "cpu_ns_per_item"),
           cost("batched", "cpu_ns_per_item"),
           cost("unicast", "cpu_ns_per_item"),
           cost("receive", "cpu_ns_per_item")});
    }
  }
  table.Print(out);
}

void PrintMeshes(const Results& results, std::ostream& out) {
  TextTable table({"mesh, 64 B", "2", "4", "8", "16", "32"});
  for (const char* transport : kTransports) {
    for (const char* counter : {"items_per_second", "items_per_cpu_second"}) {
      std::vector<std::string> row = {absl::StrCat(transport, " ", counter)};
      for (int servers : kMeshSizes) {
        row.push_back(Short(results.Median(
            CaseName(absl::StrCat("mesh", servers), transport, 64), counter)));
      }
      table.AddRow(std::move(row));
    }
  }
  table.Print(out);
}

void Summarize(const Results& results, std::ostream& out) {
  PrintRates(results,
             {{"raw", "batched", "unicast", "receive", "receive_batch"},
              {{"unicast", "raw"},
               {"unicast", "batched"},
               {"receive", "raw"},
               {"receive_batch", "raw"}}},
             out);
  PrintRates(results,
             {{"raw3", "batched3", "broadcast3"},
              {{"broadcast3", "raw3"}, {"broadcast3", "batched3"}}},
             out);
  PrintRates(results,
             {{"senders4", "batched_ipc", "unicast_ipc"},
              {{"senders4", "unicast"}, {"unicast_ipc", "batched_ipc"}}},
             out);
  PrintMeshes(results, out);
  PrintCosts(results, out);
  TextTable codec({"binary codec, 64 B", "encode/s", "decode/s"});
  codec.AddRow({"one core", Short(results.Rate("encode/64")),
                Short(results.Rate("decode/64"))});
  codec.Print(out);
}

}  // namespace
}  // namespace bench
}  // namespace cluster

int main(int argc, char** argv) {
  return cluster::bench::RunCases(argc, argv, absl::Seconds(0.5),
                                  cluster::bench::AddCases,
                                  cluster::bench::Summarize);
}
