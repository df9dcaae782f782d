#include "bench/goals.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace cluster {
namespace bench {

void Goals::AtLeast(const std::string& what, double figure, double bound) {
  if (std::isnan(figure)) return;
  table_.AddRow({what, Short(figure), absl::StrCat(">= ", Short(bound)),
                 figure >= bound ? "yes" : "NO"});
}

void Goals::AtMost(const std::string& what, double figure, double bound) {
  if (std::isnan(figure)) return;
  table_.AddRow({what, Short(figure), absl::StrCat("<= ", Short(bound)),
                 figure <= bound ? "yes" : "NO"});
}

void Goals::Known(const std::string& what, double figure) {
  if (std::isnan(figure)) return;
  table_.AddRow({what, Short(figure), "", ""});
}

}  // namespace bench
}  // namespace cluster
