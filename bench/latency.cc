// Measures round trips, and those of the bare messaging libraries in the same
// run.
//
//   bazel run -c opt //bench:latency
//   bazel run -c opt //bench:latency -- --benchmark_filter=pinned

#include <string>
#include <vector>

#include "bench/bench_main.h"
#include "bench/cases.h"
#include "bench/goals.h"
#include "bench/results.h"

namespace cluster {
namespace bench {
namespace {

void AddCases() {
  for (const char* transport : kTransports) {
    AddRawLatencyCases(transport);
    AddCalledLatencyCases(transport);
    AddClusterLatencyCases(transport);
    AddLoadedLatencyCases(transport);
  }
  AddHopCases();
}

void AddLatencyRow(const Results& results, const std::string& name,
                   const std::string& raw_name, const std::string& idle_name,
                   TextTable* table) {
  const auto figure = [&](const char* counter) {
    return results.Median(name, counter);
  };
  table->AddRow({name, Short(figure("p50_us")), Short(figure("p99_us")),
                 Short(figure("max_us")),
                 Ratio(figure("p50_us") / results.Median(raw_name, "p50_us")),
                 Ratio(figure("p99_us") / results.Median(raw_name, "p99_us")),
                 Ratio(figure("p50_us") / results.Median(idle_name, "p50_us")),
                 Short(figure("cpu_ns_per_item")),
                 Short(figure("allocs_per_item")),
                 Short(figure("own_allocs_per_item"))});
}

TextTable RoundTrips(const Results& results) {
  TextTable table({"round trip, us", "p50", "p99", "max", "p50/raw", "p99/raw",
                   "p50/idle", "cpu ns", "allocs", "own allocs"});
  for (const char* transport : kTransports) {
    for (int bytes : kPayloadBytes) {
      const std::string raw = CaseName("raw_rtt", transport, bytes);
      AddLatencyRow(results, raw, "", "", &table);
      AddLatencyRow(results, CaseName("rtt", transport, bytes), raw, "",
                    &table);
    }
    const std::string raw = CaseName("raw_rtt", transport, 64);
    const std::string raw_pinned = CaseName("raw_rtt_pinned", transport, 64);
    const std::string idle = CaseName("rtt", transport, 64);
    AddLatencyRow(results, CaseName(kCalledRtt, transport, 64), raw, idle,
                  &table);
    AddLatencyRow(results, CaseName("rtt_receive", transport, 64), raw, idle,
                  &table);
    for (const char* kind : {"rtt_secure", "rtt_spin"}) {
      AddLatencyRow(results, CaseName(kind, transport, 64), raw, idle, &table);
    }
    AddLatencyRow(results, raw_pinned, "", "", &table);
    if (HasOneWayEcho(transport)) {
      for (const char* kind : {kOneWayPinned, kMailboxPinned, kCalledPinned}) {
        AddLatencyRow(results, CaseName(kind, transport, 64), raw_pinned, "",
                      &table);
      }
    }
    for (const char* kind : {"rtt_pinned", "rtt_receive_pinned"}) {
      AddLatencyRow(results, CaseName(kind, transport, 64), raw_pinned, "",
                    &table);
    }
    for (const char* kind : {"rtt_under_load/", "rtt_under_bulk/"}) {
      AddLatencyRow(results, absl::StrCat(kind, transport), raw, idle, &table);
    }
  }
  AddLatencyRow(results, "thread_hop_pinned", "", "", &table);
  return table;
}

// Shows whether the load was as high as wanted, and even.
TextTable Loads(const Results& results) {
  TextTable table({"stream beside rtt_under_load", "wanted/s", "sent/s",
                   "items/burst", "p50 by time", "p50 by time/idle"});
  for (const char* transport : kTransports) {
    const std::string name = absl::StrCat("rtt_under_load/", transport);
    const auto figure = [&](const char* counter) {
      return results.Median(name, counter);
    };
    const double by_time = figure("p50_by_time_us");
    table.AddRow({transport, Short(figure("load_wanted_per_second")),
                  Short(figure("load_per_second")),
                  Short(figure("load_items_per_burst")), Short(by_time),
                  Ratio(by_time / results.Median(CaseName("rtt", transport, 64),
                                                 "p50_by_time_us"))});
  }
  return table;
}

// Goals for round trips, free or pinned to one core. The limit is an interface
// like ours over the bare library.
void AddRawGoals(const Results& results, const std::string& transport,
                 const std::string& suffix, Goals* goals) {
  const std::string name = CaseName("rtt" + suffix, transport, 64);
  const std::string raw = CaseName("raw_rtt" + suffix, transport, 64);
  const std::string limit =
      CaseName(absl::StrCat(kCalledRtt, suffix), transport, 64);
  const auto ratio = [&](const std::string& dividend, const char* counter) {
    return results.Median(dividend, counter) / results.Median(raw, counter);
  };
  const double p50_most = transport == "nng" ? 1.0 : 1.1;
  goals->AtMost(absl::StrCat(name, " / raw, p50"), ratio(name, "p50_us"),
                p50_most, ratio(limit, "p50_us"));
  goals->AtMost(absl::StrCat(name, " / raw, p99"), ratio(name, "p99_us"), 1.3,
                ratio(limit, "p99_us"));
}

// Goals that only tcp has: beside ZeroMQ, which it is to beat.
void AddTcpGoals(const Results& results, Goals* goals) {
  const auto add = [&](const std::string& name, const std::string& base,
                       const char* counter, const char* what, double most) {
    goals->AtMost(absl::StrCat(name, " / ", base, ", ", what),
                  results.Median(name, counter) / results.Median(base, counter),
                  most);
  };
  for (const char* suffix : {"", "_pinned"}) {
    const std::string name = CaseName(absl::StrCat("rtt", suffix), "tcp", 64);
    const std::string zmq =
        CaseName(absl::StrCat("raw_rtt", suffix), "zmq", 64);
    add(name, zmq, "p50_us", "p50", 0.6);
    add(name, zmq, "p99_us", "p99", 0.6);
  }
  add("rtt_spin/tcp/64", "raw_rtt/zmq/64", "p50_us", "p50", 0.3);
  add("rtt_spin/tcp/64", "raw_rtt/zmq/64", "p99_us", "p99", 0.3);
  add("rtt_secure/tcp/64", "rtt/tcp/64", "p50_us", "p50", 1.6);
}

// The extra cost of Receive over a handler, in hops of each side. The limit is
// the extra cost of a mailbox on the bare library.
void AddReceiveGoal(const Results& results, const std::string& transport,
                    Goals* goals) {
  const auto p50 = [&](const std::string& name) {
    return results.Median(name, "p50_us");
  };
  const auto hops = [&](const std::string& with, const std::string& without) {
    return (p50(with) - p50(without)) / p50("thread_hop_pinned");
  };
  const std::string receive = CaseName("rtt_receive_pinned", transport, 64);
  goals->AtMost(absl::StrCat(receive, " - rtt_pinned, hops of each side, p50"),
                hops(receive, CaseName("rtt_pinned", transport, 64)), 1,
                hops(CaseName(kMailboxPinned, transport, 64),
                     CaseName(kOneWayPinned, transport, 64)));
}

TextTable LatencyGoals(const Results& results) {
  Goals goals;
  for (const char* transport : kTransports) {
    AddRawGoals(results, transport, "", &goals);
    AddRawGoals(results, transport, "_pinned", &goals);
    AddReceiveGoal(results, transport, &goals);
    const std::string idle = CaseName("rtt", transport, 64);
    const auto ratio = [&](const std::string& name, const std::string& base,
                           const char* counter) {
      return results.Median(name, counter) / results.Median(base, counter);
    };
    const std::string large = CaseName("rtt", transport, 1048576);
    goals.AtMost(
        absl::StrCat(large, " / raw, p50"),
        ratio(large, CaseName("raw_rtt", transport, 1048576), "p50_us"),
        std::string(transport) == "tcp" ? 1.3 : 1.5);
    const std::string loaded = absl::StrCat("rtt_under_load/", transport);
    goals.AtMost(absl::StrCat(loaded, " / idle, p50"),
                 ratio(loaded, idle, "p50_us"), 3);
    const std::string bulk = absl::StrCat("rtt_under_bulk/", transport);
    goals.AtMost(absl::StrCat(bulk, " / idle, p99"),
                 ratio(bulk, idle, "p99_us"), 5);
  }
  AddTcpGoals(results, &goals);
  return goals.Table();
}

std::vector<TextTable> LatencyTables(const Results& results) {
  return {RoundTrips(results), Loads(results), LatencyGoals(results)};
}

}  // namespace
}  // namespace bench
}  // namespace cluster

int main(int argc, char** argv) {
  return cluster::bench::RunCases(argc, argv, absl::Seconds(0.7),
                                  cluster::bench::AddCases,
                                  cluster::bench::LatencyTables);
}
