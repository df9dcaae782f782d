#include "cluster/transport/transport_facts.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace cluster {

const TransportFacts* FindTransportFacts(absl::string_view name) {
  for (const TransportFacts& facts : kTransports)
    if (name == facts.name) return &facts;
  return nullptr;
}

std::string TransportsThat(bool TransportFacts::*fact, bool value) {
  std::vector<std::string> names;
  for (const TransportFacts& facts : kTransports)
    if (facts.*fact == value) names.emplace_back(facts.name);
  const std::string last = names.empty() ? "none" : names.back();
  if (names.size() < 2) return last;
  names.pop_back();
  return absl::StrCat(absl::StrJoin(names, ", "), " or ", last);
}

}  // namespace cluster
