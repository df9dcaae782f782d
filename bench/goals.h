// Goals: a table of a run's figures beside their goals.
//
// A row has the figure, its bound, whether the figure meets it, and perhaps a
// limit. The limit is the same figure of the bare library with the duties that
// the goal is about, and no other. Such duties are a checksum at both ends, a
// lock for several senders, or 32 servers in one process. Missed goals fail no
// build, since a busy machine misses bounds that the code keeps.
//
// A figure that was not measured is NaN. Then a goal has no row, and a limit no
// cell.
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
  // Adds a figure without a bound.
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
