#include "bench/goals.h"

#include "absl/strings/str_cat.h"

namespace cluster {
namespace bench {

void Goals::Add(const std::string& what, double figure,
                const std::string& wanted, bool met, double limit) {
  if (std::isnan(figure)) return;
  const bool limited = !std::isnan(limit);
  table_.AddRow({what, Short(figure), wanted, met ? "yes" : "NO",
                 limited ? Short(limit) : "",
                 limited ? Ratio(figure / limit) : ""});
}

void Goals::AtLeast(const std::string& what, double figure, double bound,
                    double limit) {
  Add(what, figure, absl::StrCat(">= ", Short(bound)), figure >= bound, limit);
}

void Goals::AtMost(const std::string& what, double figure, double bound,
                   double limit) {
  Add(what, figure, absl::StrCat("<= ", Short(bound)), figure <= bound, limit);
}

void Goals::Known(const std::string& what, double figure) {
  if (std::isnan(figure)) return;
  table_.AddRow({what, Short(figure), "", "", "", ""});
}

}  // namespace bench
}  // namespace cluster
