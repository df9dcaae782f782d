#include "bench/throughput_tables.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/cases.h"
#include "bench/goals.h"

namespace cluster {
namespace bench {
namespace {

// The most important figures, as ratios to the bare library.
TextTable Overview(const Results& results) {
  TextTable table({"envelopes of", "handler / raw", "handler / batched",
                   "Receive / raw", "to three / raw to three", "CPU / raw"});
  for (const char* transport : kTransports) {
    for (int bytes : kPayloadBytes) {
      const auto ratio = [&](const char* kind, const char* base,
                             const char* counter) {
        return Ratio(results.Median(CaseName(kind, transport, bytes), counter) /
                     results.Median(CaseName(base, transport, bytes), counter));
      };
      table.AddRow({absl::StrCat(transport, ", ", bytes, " B"),
                    ratio("unicast", "raw", "items_per_second"),
                    ratio("unicast", "batched", "items_per_second"),
                    ratio("receive", "raw", "items_per_second"),
                    ratio("broadcast3", "raw3", "items_per_second"),
                    ratio("unicast", "raw", "cpu_ns_per_item")});
    }
  }
  return table;
}

// The rates of some kinds of cases, then ratios of pairs of them.
struct Columns {
  std::vector<std::string> kinds;
  std::vector<std::pair<std::string, std::string>> ratios;
};

TextTable Rates(const Results& results, const Columns& columns) {
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
  return table;
}

// One counter of some kinds of cases.
TextTable Costs(const Results& results, const std::string& title,
                const std::string& counter) {
  constexpr std::array<const char*, 6> kKinds = {
      "raw", "batched", "unicast", "receive", "receive_batch", "broadcast3"};
  std::vector<std::string> titles = {title};
  titles.insert(titles.end(), kKinds.begin(), kKinds.end());
  TextTable table(titles);
  for (const char* transport : kTransports) {
    for (int bytes : kPayloadBytes) {
      std::vector<std::string> row = {
          absl::StrCat(transport, " ", bytes, " B")};
      for (const char* kind : kKinds) {
        row.push_back(
            Short(results.Median(CaseName(kind, transport, bytes), counter)));
      }
      table.AddRow(std::move(row));
    }
  }
  return table;
}

TextTable Meshes(const Results& results) {
  TextTable table({"all to all, 64 B", "2", "4", "8", "16", "32"});
  const auto add_row = [&](const char* transport, const char* kind,
                           const char* counter) {
    std::vector<std::string> row = {
        absl::StrCat(transport, " ", kind, ": ", counter)};
    for (int servers : kMeshSizes) {
      row.push_back(Short(results.Median(
          CaseName(absl::StrCat(kind, servers), transport, 64), counter)));
    }
    table.AddRow(std::move(row));
  };
  for (const char* transport : kTransports) {
    add_row(transport, "mesh", "items_per_second");
    add_row(transport, "mesh", "items_per_cpu_second");
    add_row(transport, "mesh", "items_per_frame");
    add_row(transport, "batched_mesh", "items_per_cpu_second");
    add_row(transport, "quarter_mesh", "items_per_cpu_second");
  }
  return table;
}

// The rates of the bare library with some of our duties.
TextTable Limits(const Results& results) {
  TextTable table({"limits, envelopes/s", "checked", "unicast",
                   "unicast/checked", "checked3", "broadcast3",
                   "broadcast3/checked3"});
  for (const char* transport : kTransports) {
    for (int bytes : kPayloadBytes) {
      const auto rate = [&](const char* kind) {
        return results.Rate(CaseName(kind, transport, bytes));
      };
      table.AddRow({absl::StrCat(transport, " ", bytes, " B"),
                    Short(rate("checked")), Short(rate("unicast")),
                    Ratio(rate("unicast") / rate("checked")),
                    Short(rate("checked3")), Short(rate("broadcast3")),
                    Ratio(rate("broadcast3") / rate("checked3"))});
    }
  }
  return table;
}

TextTable Wan(const Results& results) {
  TextTable table({"1 Gbit/s, 50 ms each way", "MB/s", "of bare TCP",
                   "MB/s, window 32 MiB", "of bare TCP"});
  const double raw = results.Median(kRawWan, "bytes_per_second");
  table.AddRow({"bare TCP", Short(raw / 1e6), "-", "-", "-"});
  for (const char* transport : kTransports) {
    std::vector<std::string> row = {transport};
    for (const char* kind : {kWan, kWideWan}) {
      const double rate =
          results.Median(absl::StrCat(kind, transport), "bytes_per_second");
      row.push_back(Short(rate / 1e6));
      row.push_back(Ratio(rate / raw));
    }
    table.AddRow(std::move(row));
  }
  return table;
}

TextTable Idle(const Results& results) {
  TextTable table({absl::StrCat(kIdleServers, " idle servers"), "% of one core",
                   "bare library's heartbeats", "bytes/connection"});
  for (const char* transport : kTransports) {
    const std::string name = CaseName("idle", transport, kIdleServers);
    const std::string raw = CaseName("raw_idle", transport, kIdleServers);
    table.AddRow({transport, Short(results.Median(name, "cpu_percent")),
                  Short(results.Median(raw, "cpu_percent")),
                  Short(results.Median(name, "bytes_per_peer"))});
  }
  return table;
}

TextTable Groups(const Results& results) {
  TextTable table({absl::StrCat(kGroups, " groups on 3 servers"),
                   "% of one core", "bare library", "frames/s",
                   "bare messages/s"});
  for (const char* transport : kTransports) {
    const std::string name = CaseName("groups", transport, kGroups);
    const std::string raw = CaseName("raw_groups", transport, kGroups);
    table.AddRow({transport, Short(results.Median(name, "cpu_percent")),
                  Short(results.Median(raw, "cpu_percent")),
                  Short(results.Median(name, "frames_per_second")),
                  Short(results.Median(raw, "frames_per_second"))});
  }
  return table;
}

TextTable Codec(const Results& results) {
  TextTable table({"binary codec, 64 B", "encode/s", "decode/s"});
  table.AddRow({"one core", Short(results.Rate("encode/64")),
                Short(results.Rate("decode/64"))});
  return table;
}

void AddRateGoals(const Results& results, const std::string& transport,
                  Goals* goals) {
  struct Bound {
    const char* kind;
    const char* base;
    int bytes;
    double least;
    // The cases of the limit; "" if there is none.
    const char* limit_kind;
    const char* limit_base;
  };
  constexpr std::array<Bound, 11> kBounds = {{
      {"unicast", "batched", 64, 0.8, "called", "batched"},
      {"receive", "batched", 64, 0.5, "owned", "batched"},
      {"receive", "unicast", 64, 0.5, "owned", "called"},
      {"receive_batch", "batched", 64, 0.7, "owned", "batched"},
      {"receive_batch", "unicast", 64, 0.7, "owned", "called"},
      {"unicast", "batched", 1024, 0.8, "called", "batched"},
      {"unicast", "raw", 65536, 0.9, "checked", "raw"},
      {"unicast", "raw", 1048576, 0.9, "checked", "raw"},
      {"broadcast3", "batched3", 64, 0.7, "checked3", "batched3"},
      {"senders4", "unicast", 64, 0.9, "called_senders4", "called"},
      {"unicast_ipc", "batched_ipc", 64, 0.8, "called_ipc", "batched_ipc"},
  }};
  for (const Bound& bound : kBounds) {
    const auto rate = [&](const char* kind) {
      return results.Rate(CaseName(kind, transport, bound.bytes));
    };
    goals->AtLeast(absl::StrCat(transport, " ", bound.bytes, " B: ", bound.kind,
                                " / ", bound.base),
                   rate(bound.kind) / rate(bound.base), bound.least,
                   rate(bound.limit_kind) / rate(bound.limit_base));
  }
}

// Goals of one backend alone. The limit is an interface like ours over the
// bare library, or a checksum at both ends.
void AddOwnRateGoals(const Results& results, Goals* goals) {
  struct Bound {
    const char* name;
    const char* base;
    double least;
    const char* limit;  // "" if there is none
  };
  constexpr std::array<Bound, 11> kBounds = {{
      {"unicast/tcp/64", "raw/zmq/64", 6, "called/tcp/64"},
      {"unicast/tcp/64", "called/tcp/64", 0.95, ""},
      {"unicast/tcp/65536", "raw/zmq/65536", 1, "checked/tcp/65536"},
      {"unicast/tcp/1048576", "raw/zmq/1048576", 1, "checked/tcp/1048576"},
      {"unicast_secure/tcp/65536", "unicast_secure/zmq/65536", 1.2, ""},
      {"broadcast3/tcp/64", "batched3/tcp/64", 0.9, "checked3/tcp/64"},
      {"unicast/zmq/65536", "checked/zmq/65536", 0.95, ""},
      {"unicast/zmq/1048576", "checked/zmq/1048576", 0.95, ""},
      {"receive_batch/zmq/64", "owned/zmq/64", 0.95, ""},
      {"receive_batch/nng/64", "owned/nng/64", 0.95, ""},
      {"receive_batch/tcp/64", "owned/tcp/64", 0.95, ""},
  }};
  for (const Bound& bound : kBounds) {
    const double base = results.Rate(bound.base);
    goals->AtLeast(absl::StrCat(bound.name, " / ", bound.base),
                   results.Rate(bound.name) / base, bound.least,
                   results.Rate(bound.limit) / base);
  }
}

void AddCostGoals(const Results& results, const std::string& transport,
                  Goals* goals) {
  for (int bytes : {64, 1024}) {
    const std::string name = CaseName("unicast", transport, bytes);
    for (const char* counter : {"allocs_per_item", "own_allocs_per_item"}) {
      goals->AtMost(absl::StrCat(transport, " ", bytes, " B: ", counter),
                    results.Median(name, counter), 0.01);
    }
  }
  const auto mesh = [&](const char* kind) {
    return results.Median(CaseName(kind, transport, 64),
                          "items_per_cpu_second");
  };
  goals->AtLeast(absl::StrCat(transport, " 64 B: mesh32 / mesh2, per CPU time"),
                 mesh("mesh32") / mesh("mesh2"), 0.6,
                 mesh("quarter_mesh32") / mesh("batched_mesh2"));
  const std::string idle = CaseName("idle", transport, kIdleServers);
  goals->AtMost(absl::StrCat(transport, ": idle servers, % of one core"),
                results.Median(idle, "cpu_percent"), transport == "tcp" ? 1 : 3,
                results.Median(CaseName("raw_idle", transport, kIdleServers),
                               "cpu_percent"));
  const std::string memory =
      absl::StrCat(transport, ": memory of an idle connection, bytes");
  const double bytes = results.Median(idle, "bytes_per_peer");
  if (transport == "tcp") {
    goals->AtMost(memory, bytes, 16000);
  } else {
    goals->Known(memory, bytes);
  }
}

void AddWanGoals(const Results& results, const std::string& transport,
                 Goals* goals) {
  const auto of_raw = [&](const char* kind) {
    return results.Median(absl::StrCat(kind, transport), "bytes_per_second") /
           results.Median(kRawWan, "bytes_per_second");
  };
  goals->AtLeast(absl::StrCat(kWan, transport, " / bare TCP"), of_raw(kWan),
                 0.6);
  goals->AtLeast(absl::StrCat(kWideWan, transport, " / bare TCP"),
                 of_raw(kWideWan), 0.8);
}

TextTable ThroughputGoals(const Results& results) {
  Goals goals;
  for (const char* transport : kTransports) {
    AddRateGoals(results, transport, &goals);
    AddCostGoals(results, transport, &goals);
    AddWanGoals(results, transport, &goals);
  }
  AddOwnRateGoals(results, &goals);
  goals.AtLeast("codec, 64 B: encode/s", results.Rate("encode/64"), 30e6);
  goals.AtLeast("codec, 64 B: decode/s", results.Rate("decode/64"), 50e6);
  return goals.Table();
}

}  // namespace

std::vector<TextTable> ThroughputTables(const Results& results) {
  return {
      Overview(results),
      Rates(results, {{"raw", "batched", "unicast", "receive", "receive_batch"},
                      {{"unicast", "raw"},
                       {"unicast", "batched"},
                       {"receive", "raw"},
                       {"receive_batch", "raw"}}}),
      Rates(results, {{"raw3", "batched3", "broadcast3"},
                      {{"broadcast3", "raw3"}, {"broadcast3", "batched3"}}}),
      Rates(results,
            {{"senders4", "batched_ipc", "unicast_ipc"},
             {{"senders4", "unicast"}, {"unicast_ipc", "batched_ipc"}}}),
      Limits(results),
      Meshes(results),
      Wan(results),
      Idle(results),
      Groups(results),
      Costs(results, "CPU ns per envelope", "cpu_ns_per_item"),
      Costs(results, "allocations per envelope", "allocs_per_item"),
      Costs(results, "of those, not by zmq or nng", "own_allocs_per_item"),
      Codec(results),
      ThroughputGoals(results),
  };
}

}  // namespace bench
}  // namespace cluster
