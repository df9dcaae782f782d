// RunCases: the main function that both benchmark programs share.
//
// What it is: Google Benchmark's flags, a line for each run, a summary at the
// end, and warnings where the figures would mean little: a build without
// optimisation, a busy machine. With --benchmark_format=json or csv its own
// reporter writes instead, and there is no summary.
//
// Threads: main. Errors: the exit code; 1 for flags that nobody knows.

#ifndef BENCH_BENCH_MAIN_H_
#define BENCH_BENCH_MAIN_H_

#include <ostream>

#include "absl/time/time.h"
#include "bench/results.h"

namespace cluster {
namespace bench {

// `add_cases` registers them; `summarize` prints tables. `measuring_time` is
// what a case takes unless
// --benchmark_min_time says otherwise.
int RunCases(int argc, char** argv, absl::Duration measuring_time,
             void (*add_cases)(),
             void (*summarize)(const Results& results, std::ostream& out));

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_BENCH_MAIN_H_
