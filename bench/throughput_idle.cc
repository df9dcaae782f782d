// idle: servers of one process that are all connected with each other and send
// heartbeats only. cpu_percent is their cost in percent of one core.
// bytes_per_peer is the resident memory that they add, per directed connection.
//
// Both ends of each connection are in this process, with the objects of the
// socket and the state of sender and receiver. The kernel's memory (socket
// buffers) is not resident in a process and does not count.
//
// raw_idle: the same heartbeats as messages on the bare library, as a lower
// bound. A thread of each server sends them and another receives them.
//
// The case runs in a new process of this program. After other cases the servers
// would reuse their freed memory, and seem to add less than nothing.

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "bench/cases.h"
#include "bench/loopback_cluster.h"
#include "bench/measure.h"
#include "bench/process_usage.h"
#include "bench/raw_mesh.h"
#include "cluster/base/check.h"
#include "cluster/codec/frame_header.h"
#include "cluster/config.h"

ABSL_FLAG(bool, idle_here, false,
          "Measure idle servers in this process, not in one of their own.");

namespace cluster {
namespace bench {
namespace {

// A heartbeat leaves every two seconds, so a shorter time would give a random
// figure.
constexpr int kMeasuringTimes = 16;
// How long the traffic after a new connection may take: acknowledgements, first
// round trips, unnecessary retransmissions.
constexpr int kQuietTimes = 2;

constexpr std::array<const char*, 2> kCounters = {"cpu_percent",
                                                  "bytes_per_peer"};

void MeasureIdle(benchmark::State& state, const std::string& transport) {
  const std::int64_t bytes_before = ResidentBytes();
  LoopbackCluster cluster(
      transport, Scheme::kTcp, kIdleServers,
      [](Server&) -> EnvelopeHandler { return [](const EnvelopeView&) {}; },
      {Secrecy::kPlaintext, Threads::kShared});
  absl::SleepFor(kQuietTimes * MeasuringTime());

  state.counters["cpu_percent"] =
      PercentOfACoreMeanwhile(kMeasuringTimes * MeasuringTime());

  constexpr int kConnections = kIdleServers * (kIdleServers - 1);
  state.counters["bytes_per_peer"] =
      static_cast<double>(ResidentBytes() - bytes_before) / kConnections;
}

// Sends a heartbeat to each other server at multiples of the interval, as our
// servers do, until `over`.
void Beat(RawMesh* mesh, int from, const std::shared_future<void>& over) {
  using Clock = std::chrono::steady_clock;
  const auto interval = std::chrono::duration_cast<Clock::duration>(
      absl::ToChronoNanoseconds(Config().heartbeat));
  Clock::time_point next = Clock::now();
  while (true) {
    next += interval - next.time_since_epoch() % interval;
    if (over.wait_until(next) == std::future_status::ready) return;
    for (int to = 0; to < kIdleServers; ++to) {
      if (to == from) continue;
      std::memset(mesh->Begin(from, to, kFrameHeaderBytes), 0,
                  kFrameHeaderBytes);
      mesh->Commit(from, to);
    }
  }
}

void MeasureRawIdle(benchmark::State& state, const std::string& transport) {
  const auto mesh = NewRawMesh(transport, kIdleServers, kFrameHeaderBytes,
                               [](int, absl::string_view) {});
  std::promise<void> end;
  const std::shared_future<void> over(end.get_future());
  std::vector<std::thread> threads;
  for (int from = 0; from < kIdleServers; ++from)
    threads.emplace_back(Beat, mesh.get(), from, over);
  absl::SleepFor(kQuietTimes * MeasuringTime());
  state.counters["cpu_percent"] =
      PercentOfACoreMeanwhile(kMeasuringTimes * MeasuringTime());
  end.set_value();
  for (std::thread& thread : threads) thread.join();
}

std::string ThisProgram() {
  std::array<char, 4096> path;
  const ssize_t bytes = readlink("/proc/self/exe", path.data(), path.size());
  CLUSTER_CHECK(bytes > 0, "/proc/self/exe cannot be read");
  return std::string(path.data(), static_cast<std::size_t>(bytes));
}

// Runs this case alone in a new process, and returns its CSV. Drops its
// warnings, which would repeat ours.
std::string OutputOfOwnProcess(const std::string& name) {
  const std::string command = absl::StrCat(
      "exec '", ThisProgram(), "' --idle_here", " --benchmark_filter='^", name,
      "$' --benchmark_min_time=", absl::ToDoubleSeconds(MeasuringTime()),
      " --benchmark_format=csv 2>/dev/null");
  FILE* const pipe = popen(command.c_str(), "r");
  CLUSTER_CHECK(pipe != nullptr, "no process can be started");
  std::string output;
  std::array<char, 512> part;
  while (std::fgets(part.data(), part.size(), pipe) != nullptr) {
    output += part.data();
  }
  CLUSTER_CHECK(pclose(pipe) == 0, command.c_str());
  return output;
}

// One line of titles, one of values.
void TakeCounters(const std::string& csv, benchmark::State& state) {
  const std::vector<std::string> lines =
      absl::StrSplit(csv, '\n', absl::SkipEmpty());
  CLUSTER_CHECK(lines.size() == 2, csv.c_str());
  const std::vector<std::string> titles = absl::StrSplit(lines[0], ',');
  const std::vector<std::string> values = absl::StrSplit(lines[1], ',');
  for (const char* counter : kCounters) {
    bool found = false;
    for (std::size_t i = 0; i < titles.size() && i < values.size(); ++i) {
      double value = 0;
      if (titles[i] != absl::StrCat("\"", counter, "\"")) continue;
      found = absl::SimpleAtod(values[i], &value);
      state.counters[counter] = value;
    }
    CLUSTER_CHECK(found, csv.c_str());
  }
}

}  // namespace

void AddIdleCases(const std::string& transport) {
  const std::string name = CaseName("idle", transport, kIdleServers);
  AddCase(name, [name, transport](benchmark::State& state) {
    if (absl::GetFlag(FLAGS_idle_here)) {
      MeasureIdle(state, transport);
    } else {
      TakeCounters(OutputOfOwnProcess(name), state);
    }
  });
  AddCase(CaseName("raw_idle", transport, kIdleServers),
          [transport](benchmark::State& state) {
            MeasureRawIdle(state, transport);
          });
}

}  // namespace bench
}  // namespace cluster
