#include "bench/bench_main.h"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "bench/measure.h"
#include "bench/process_usage.h"
#include "benchmark/benchmark.h"
#include "cluster/base/kept_memory.h"
#include "cluster/version.h"

ABSL_FLAG(bool, announce, false, "A line on stderr before each measurement.");
ABSL_FLAG(std::string, tables_out, "",
          "A file for the tables, as Markdown; they are printed anyway.");
ABSL_FLAG(bool, refuse_unoptimised, false,
          "Measure nothing if built without optimisation, rather than warn.");

namespace cluster {
namespace bench {
namespace {

#ifdef NDEBUG
constexpr bool kOptimised = true;
#else
constexpr bool kOptimised = false;
#endif

constexpr char kMinTimeFlag[] = "--benchmark_min_time=";

// Above these shares of the machine for others, the program warns.
constexpr double kOthersMost = 0.05;
constexpr double kStealMost = 0.02;

// Prints a line for each run when it ends.
class LineReporter : public benchmark::BenchmarkReporter {
 public:
  explicit LineReporter(Results* results) : results_(results) {}

  bool ReportContext(const Context&) override { return true; }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) ReportRun(run);
  }

 private:
  void ReportRun(const Run& run) {
    std::ostream& out = GetOutputStream();
    const std::string name = run.run_name.str();
    out << absl::StreamFormat("%-26s", run.benchmark_name());
    // Coefficients of variation are shares, and their names say so.
    for (const auto& [counter, value] : run.counters) {
      out << absl::StreamFormat(" %s=%s", counter, Short(value.value));
      if (run.run_type == Run::RT_Iteration) {
        results_->Add(name, counter, value.value);
      }
    }
    out << std::endl;
  }

  Results* const results_;
};

// Takes the time from Google Benchmark's flags. A whole measurement is one
// iteration (measure.h), so measure.h has to keep the time itself.
void TakeMinTime(std::vector<char*>* arguments) {
  static std::string none = std::string(kMinTimeFlag) + "0";
  for (char*& argument : *arguments) {
    absl::string_view text = argument;
    if (!absl::ConsumePrefix(&text, kMinTimeFlag)) continue;
    absl::ConsumeSuffix(&text, "s");
    double seconds = 0;
    if (absl::SimpleAtod(text, &seconds) && seconds > 0) {
      SetMeasuringTime(absl::Seconds(seconds));
    }
  }
  arguments->push_back(&none[0]);
}

void SetVersionText() {
  absl::FlagsUsageConfig usage;
  usage.version_string = [] {
    return absl::StrCat("cluster ", kVersion, "\n");
  };
  absl::SetFlagsUsageConfig(usage);
}

bool WantsOtherFormat(const std::vector<char*>& arguments) {
  for (absl::string_view argument : arguments) {
    if (absl::StartsWith(argument, "--benchmark_format=") &&
        !absl::EndsWith(argument, "=console")) {
      return true;
    }
  }
  return false;
}

void WarnBeforehand() {
  if (!kOptimised) {
    std::cerr << "WARNING: built without optimisation; figures mean nothing. "
                 "Use bazel run -c opt.\n";
  }
  const double load = LoadAverage();
  const unsigned cores = std::thread::hardware_concurrency();
  std::cerr << absl::StreamFormat("%u cores, load average %.1f\n", cores, load);
  if (load > 0.5 * cores) {
    std::cerr << "WARNING: the machine is busy; compare ratios within this run "
                 "only.\n";
  }
}

void WarnAfterwards(const MachineUsage& before) {
  const Disturbance disturbance = DisturbanceSince(before);
  std::cerr << absl::StreamFormat(
      "\nmeanwhile other processes took %.0f%% of the machine, steal was "
      "%.1f%%\n",
      100 * disturbance.others, 100 * disturbance.steal);
  if (disturbance.others > kOthersMost || disturbance.steal > kStealMost) {
    std::cerr << "WARNING: others disturbed this run; compare ratios within it "
                 "only, and repeat it.\n";
  }
}

// Memory that malloc keeps. Without it, a case runs at one of two speeds, a
// factor of two apart, depending on the cases before it. So all cases get the
// better one, raw ones too.
constexpr std::size_t kKeptBytes = 16u << 20;

// False if it cannot write the tables' file.
bool PrintTables(const std::vector<TextTable>& tables) {
  for (const TextTable& table : tables) table.Print(std::cout);
  std::cout.flush();
  const std::string file = absl::GetFlag(FLAGS_tables_out);
  if (file.empty()) return true;
  std::ofstream out(file);
  for (const TextTable& table : tables) table.PrintMarkdown(out);
  out.close();
  if (!out) std::cerr << file << ": cannot be written\n";
  return static_cast<bool>(out);
}

}  // namespace

int RunCases(int argc, char** argv, absl::Duration measuring_time,
             void (*add_cases)(),
             std::vector<TextTable> (*summarize)(const Results& results)) {
  SetMeasuringTime(measuring_time);
  std::vector<char*> arguments(argv, argv + argc);
  const bool other_format = WantsOtherFormat(arguments);
  TakeMinTime(&arguments);
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  SetVersionText();
  benchmark::Initialize(&count, arguments.data());
  if (absl::ParseCommandLine(count, arguments.data()).size() > 1) {
    std::cerr << "unexpected arguments; see --help\n";
    return 1;
  }
  if (!kOptimised && absl::GetFlag(FLAGS_refuse_unoptimised)) {
    std::cerr << "built without optimisation, figures would mean nothing; use "
                 "bazel run -c opt\n";
    return 3;
  }
  AnnounceMeasurements(absl::GetFlag(FLAGS_announce));
  internal::KeepFreedMemory(kKeptBytes);
  add_cases();
  WarnBeforehand();
  const MachineUsage before = MachineUsageNow();
  Results results;
  LineReporter reporter(&results);
  benchmark::RunSpecifiedBenchmarks(other_format ? nullptr : &reporter);
  benchmark::Shutdown();
  const bool printed = other_format || PrintTables(summarize(results));
  WarnAfterwards(before);
  return printed ? 0 : 1;
}

}  // namespace bench
}  // namespace cluster
