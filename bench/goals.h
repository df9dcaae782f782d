// Goals: figures of a run beside what is wanted of them.
//
// What it is: the rows of a table: what was measured, the bound, whether it is
// met, and the limit, if there is a case for it: the same figure of the bare
// library when it has the duties that the goal is about (a checksum at both
// ends, a lock for several senders, 32 servers in one process) and no other.
// What it is not: a test; a run fails no build, since a busy machine misses
// bounds that the code keeps.
//
// Threads: none of its own. Errors: figures that were not run are NaN: goals
// have no row then, and limits no cell.
//
//   Goals goals;
//   goals.AtLeast("zmq: unicast / raw, 1 MiB", 0.67, 0.9, 0.73);
//   tables->push_back(goals.Table());

#ifndef BENCH_GOALS_H_
#define BENCH_GOALS_H_

#include <cmath>
#include <string>

#include "bench/results.h"

namespace cluster {
namespace bench {

class Goals {
 public:
  void AtLeast(const std::string& what, double figure, double bound,
               double limit = std::nan(""));
  void AtMost(const std::string& what, double figure, double bound,
              double limit = std::nan(""));
  // A figure that is to be known, and has no bound.
  void Known(const std::string& what, double figure);

  const TextTable& Table() const { return table_; }

 private:
  void Add(const std::string& what, double figure, const std::string& wanted,
           bool met, double limit);

  TextTable table_{
      {"goals", "measured", "wanted", "met", "limit", "of the limit"}};
};

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_GOALS_H_
