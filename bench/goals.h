// Goals: figures of a run beside what is wanted of them.
//
// What it is: the rows of a table: what was measured, the bound, whether it is
// met. What it is not: a test; a run fails no build, since a busy machine
// misses bounds that the code keeps.
//
// Threads: none of its own. Errors: figures that were not run are NaN, and have
// no row.
//
//   Goals goals;
//   goals.AtLeast("zmq: unicast / batched, 64 B", 0.93, 0.8);
//   tables->push_back(goals.Table());

#ifndef BENCH_GOALS_H_
#define BENCH_GOALS_H_

#include <string>

#include "bench/results.h"

namespace cluster {
namespace bench {

class Goals {
 public:
  void AtLeast(const std::string& what, double figure, double bound);
  void AtMost(const std::string& what, double figure, double bound);
  // A figure that is to be known, and has no bound.
  void Known(const std::string& what, double figure);

  const TextTable& Table() const { return table_; }

 private:
  TextTable table_{{"goals", "measured", "wanted", "met"}};
};

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_GOALS_H_
