// Results: the counters of a run's cases by name, and tables of them as text or
// Markdown.
//
// Counters are medians over repetitions. A case that did not run is NaN, and
// "-" in a table.
//
//   results.Add("raw/zmq/64", "items_per_second", 2.5e6);
//   TextTable table({"bytes", "unicast/raw"});
//   table.AddRow({"64", Ratio(results.Rate("unicast/zmq/64") /
//                             results.Rate("raw/zmq/64"))});
//   table.Print(std::cout);

#ifndef BENCH_RESULTS_H_
#define BENCH_RESULTS_H_

#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace cluster {
namespace bench {

class Results {
 public:
  void Add(const std::string& name, const std::string& counter, double value);

  // The median over repetitions.
  double Median(const std::string& name, const std::string& counter) const;
  double Rate(const std::string& name) const {
    return Median(name, "items_per_second");
  }

 private:
  std::map<std::pair<std::string, std::string>, std::vector<double>> values_;
};

// "2.41M", "17.3k", "812", "0.25".
std::string Short(double value);
// "4.1x".
std::string Ratio(double ratio);

class TextTable {
 public:
  explicit TextTable(std::vector<std::string> titles);

  // Ignores a row in which all cells but the first are "-".
  void AddRow(std::vector<std::string> cells);
  // Prints nothing if there is no row.
  void Print(std::ostream& out) const;
  void PrintMarkdown(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_RESULTS_H_
