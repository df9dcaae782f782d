// RunCases: the main function that both benchmark programs share.
//
// What it is: Google Benchmark's flags, a line for each run, tables at the end,
// and warnings where the figures would mean little: a build without
// optimisation, a busy machine. With --benchmark_format=json or csv its own
// reporter writes instead, and there are no tables. Flags of its own, for
// programs that start it:
//
//   --announce                 a line on stderr before each measurement
//   --tables_out=FILE          the tables there too, as Markdown
//   --refuse_unoptimised       rather than warn
//
// Threads: main. Errors: the exit code; 1 for flags that nobody knows and files
// that cannot be written, 3 for a build that is refused.

#ifndef BENCH_BENCH_MAIN_H_
#define BENCH_BENCH_MAIN_H_

#include <vector>

#include "absl/time/time.h"
#include "bench/results.h"

namespace cluster {
namespace bench {

// `add_cases` registers them; `summarize` makes the tables. `measuring_time` is
// what a case takes unless --benchmark_min_time says otherwise.
int RunCases(int argc, char** argv, absl::Duration measuring_time,
             void (*add_cases)(),
             std::vector<TextTable> (*summarize)(const Results& results));

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_BENCH_MAIN_H_
