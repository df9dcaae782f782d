// Measures envelopes and bytes per second, and those of the bare messaging
// libraries in the same run.
//
//   bazel run -c opt //bench:throughput
//   bazel run -c opt //bench:throughput -- --benchmark_filter='/zmq/64$'

#include "bench/bench_main.h"
#include "bench/cases.h"
#include "bench/throughput_tables.h"

namespace cluster {
namespace bench {
namespace {

void AddCases() {
  for (const char* transport : kTransports) AddIdleCases(transport);
  for (const char* transport : kTransports) {
    for (int bytes : kPayloadBytes) {
      AddRawThroughputCases(transport, bytes);
      AddClusterThroughputCases(transport, bytes);
      AddCopyCases(transport, bytes);
    }
    AddMeshCases(transport);
    AddLimitCases(transport);
    AddCalledCases(transport);
    AddWanCases(transport);
    AddGroupsCases(transport);
  }
  AddRawWanCase();
  AddCodecCases();
}

}  // namespace
}  // namespace bench
}  // namespace cluster

int main(int argc, char** argv) {
  return cluster::bench::RunCases(argc, argv, absl::Seconds(0.5),
                                  cluster::bench::AddCases,
                                  cluster::bench::ThroughputTables);
}
