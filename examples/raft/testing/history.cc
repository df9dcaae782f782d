#include "examples/raft/testing/history.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace raft {

int History::InvokePut(const std::string& key, const std::string& value) {
  Operation put;
  put.key = key;
  put.is_put = true;
  put.value = value;
  put.begin = ++clock_;
  operations_.push_back(std::move(put));
  return static_cast<int>(operations_.size()) - 1;
}

int History::InvokeGet(const std::string& key) {
  const int operation = InvokePut(key, "");
  operations_.back().is_put = false;
  return operation;
}

void History::Respond(int operation, const std::string& value) {
  Operation& ended = operations_[static_cast<std::size_t>(operation)];
  ended.end = ++clock_;
  if (!ended.is_put) ended.value = value;
  ++responses_;
}

void History::Forget(int operation) {
  operations_[static_cast<std::size_t>(operation)].forgotten = true;
}

std::string History::Check() const {
  std::map<std::string, std::vector<Operation>> by_key;
  std::set<std::pair<std::string, std::string>> read;
  for (const Operation& operation : operations_) {
    if (!operation.is_put && operation.end != kNever)
      read.emplace(operation.key, operation.value);
  }
  for (const Operation& operation : operations_) {
    // One without a response matters only if somebody has read its value.
    const bool matters =
        operation.end != kNever ||
        (operation.is_put && read.count({operation.key, operation.value}) > 0);
    if (matters && !operation.forgotten)
      by_key[operation.key].push_back(operation);
  }
  for (const auto& [key, operations] : by_key) {
    if (!IsLinearizable(operations)) return key;
  }
  return "";
}

// `operations` are in the order of their begins.
bool History::IsLinearizable(const std::vector<Operation>& operations) {
  // A place in the search: which operations have taken effect, and the value.
  using Place = std::pair<std::vector<bool>, std::string>;
  std::set<Place> seen;
  std::vector<Place> open = {{std::vector<bool>(operations.size()), ""}};
  while (!open.empty()) {
    const Place place = std::move(open.back());
    open.pop_back();
    const auto& [done, value] = place;
    // The next one began before any that is left ended.
    std::size_t first_end = kNever;
    for (std::size_t i = 0; i < operations.size(); ++i)
      if (!done[i]) first_end = std::min(first_end, operations[i].end);
    if (first_end == kNever) return true;  // all that ended took effect
    for (std::size_t i = 0; i < operations.size(); ++i) {
      const Operation& next = operations[i];
      if (next.begin > first_end) break;
      if (done[i] || (!next.is_put && next.value != value)) continue;
      Place after = {done, next.is_put ? next.value : value};
      after.first[i] = true;
      if (seen.insert(after).second) open.push_back(std::move(after));
    }
  }
  return false;
}

}  // namespace raft
