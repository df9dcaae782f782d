// ThroughputTables: what the throughput cases of a run say, as tables: rates
// and their ratios, costs, and at last the goals.
//
// Threads: any. Errors: cases that were not run leave gaps.

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
