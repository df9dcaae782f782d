// ThroughputTables: tables of the throughput cases of a run.
//
// They show rates and their ratios, costs, and finally the goals. Cases that
// did not run leave gaps.

#ifndef BENCH_THROUGHPUT_TABLES_H_
#define BENCH_THROUGHPUT_TABLES_H_

#include <vector>

#include "bench/results.h"

namespace cluster {
namespace bench {

std::vector<TextTable> ThroughputTables(const Results& results);

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_THROUGHPUT_TABLES_H_
