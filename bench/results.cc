#include "bench/results.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"

namespace cluster {
namespace bench {

void Results::Add(const std::string& name, const std::string& counter,
                  double value) {
  values_[{name, counter}].push_back(value);
}

double Results::Median(const std::string& name,
                       const std::string& counter) const {
  const auto found = values_.find({name, counter});
  if (found == values_.end()) return std::numeric_limits<double>::quiet_NaN();
  std::vector<double> values = found->second;
  const auto middle =
      values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string Short(double value) {
  if (std::isnan(value)) return "-";
  constexpr std::array<std::pair<double, const char*>, 3> kUnits = {
      {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}}};
  for (const auto& [unit, name] : kUnits) {
    if (value >= unit) return absl::StrFormat("%.3g%s", value / unit, name);
  }
  if (std::abs(value) < 1e-4) return "0";
  return absl::StrFormat("%.3g", value);
}

std::string Ratio(double ratio) {
  if (!std::isfinite(ratio)) return "-";
  return absl::StrFormat(ratio < 10 ? "%.2fx" : "%.1fx", ratio);
}

TextTable::TextTable(std::vector<std::string> titles) {
  rows_.push_back(std::move(titles));
}

void TextTable::AddRow(std::vector<std::string> cells) {
  const bool empty =
      std::all_of(cells.begin() + 1, cells.end(),
                  [](const std::string& cell) { return cell == "-"; });
  if (!empty) rows_.push_back(std::move(cells));
}

void TextTable::Print(std::ostream& out) const {
  if (rows_.size() == 1) return;
  std::vector<std::size_t> widths(rows_[0].size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  out << "\n";
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      // The first column is a name, the others are figures.
      const int width = static_cast<int>(widths[i]);
      out << absl::StreamFormat(i == 0 ? "%-*s" : "  %*s", width, row[i]);
    }
    out << "\n";
  }
}

void TextTable::PrintMarkdown(std::ostream& out) const {
  if (rows_.size() == 1) return;
  out << "\n";
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    for (const std::string& cell : rows_[row]) out << "| " << cell << " ";
    out << "|\n";
    if (row != 0) continue;
    for (std::size_t i = 0; i < rows_[0].size(); ++i) {
      out << (i == 0 ? "|---" : "|---:");
    }
    out << "|\n";
  }
}

}  // namespace bench
}  // namespace cluster
