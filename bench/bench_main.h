// RunCases: the main function of both benchmark programs.
//
// It takes Google Benchmark's flags, prints a line for each run and tables at
// the end. It warns when figures mean little: in a build without optimisation,
// or on a busy machine. With --benchmark_format=json or csv Google Benchmark's
// own reporter writes instead, without tables. These flags serve programs that
// start it:
//
//   --announce                 a line on stderr before each measurement
//   --tables_out=FILE          the tables there too, as Markdown
//   --refuse_unoptimised       rather than warn
//
// Returns the exit code: 1 for unknown flags and files that cannot be written,
// 3 for a refused build.

#ifndef BENCH_BENCH_MAIN_H_
#define BENCH_BENCH_MAIN_H_

#include <vector>

#include "absl/time/time.h"
#include "bench/results.h"

namespace cluster {
namespace bench {

// `add_cases` registers the cases; `summarize` makes the tables. A case takes
// `measuring_time` unless --benchmark_min_time says otherwise.
int RunCases(int argc, char** argv, absl::Duration measuring_time,
             void (*add_cases)(),
             std::vector<TextTable> (*summarize)(const Results& results));

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_BENCH_MAIN_H_
