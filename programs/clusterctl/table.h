// Table: columns of text for a terminal or a pipe. Cells are made printable.
//
//   Table table({"SERVER", "STATE"});
//   table.Row({"1", "up"});
//   std::fputs(table.Text().c_str(), stdout);

#ifndef PROGRAMS_CLUSTERCTL_TABLE_H_
#define PROGRAMS_CLUSTERCTL_TABLE_H_

#include <string>
#include <vector>

namespace cluster {

class Table {
 public:
  explicit Table(std::vector<std::string> head) {
    rows_.push_back(std::move(head));
  }

  void Row(std::vector<std::string> cells) {
    rows_.push_back(std::move(cells));
  }
  // Each row on a line, without blanks at its end.
  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cluster

#endif  // PROGRAMS_CLUSTERCTL_TABLE_H_
