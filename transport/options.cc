#include "cluster/transport/options.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace cluster {
namespace {

std::size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string TypeName(const OptionValue& value) {
  static constexpr const char* kNames[] = {"a boolean", "an integer",
                                           "a number", "a string"};
  return kNames[value.index()];
}

}  // namespace

std::string KnownWords(absl::string_view word,
                       const std::vector<std::string>& known) {
  constexpr std::size_t kWordBytesMax = 64;
  std::string question;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    if (word.size() > kWordBytesMax) break;
    const std::size_t distance = EditDistance(word, candidate);
    if (distance >= least) continue;
    least = distance;
    question = absl::StrCat("; did you mean \"", candidate, "\"?");
  }
  return absl::StrCat(question, "; known: ", absl::StrJoin(known, ", "));
}

template <typename T>
const T* OptionReader::Find(absl::string_view key, absl::string_view want) {
  known_.emplace_back(key);
  const auto found = options_.values.find(known_.back());
  if (found == options_.values.end()) return nullptr;
  const T* const value = absl::get_if<T>(&found->second);
  if (value == nullptr)
    Fail(key, absl::StrCat("found ", TypeName(found->second), ", want ", want));
  return value;
}

void OptionReader::Fail(absl::string_view key, absl::string_view text) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(absl::StrCat(
      options_.origin, options_.origin.empty() ? "" : ".", key, ": ", text));
}

std::int64_t OptionReader::Int(absl::string_view key, std::int64_t fallback,
                               std::int64_t least, std::int64_t most) {
  const std::string want =
      absl::StrCat("an integer from ", least, " to ", most);
  const std::int64_t* const number = Find<std::int64_t>(key, want);
  if (number == nullptr) return fallback;
  if (*number >= least && *number <= most) return *number;
  Fail(key, absl::StrCat("found ", *number, ", want ", want));
  return fallback;
}

bool OptionReader::Bool(absl::string_view key, bool fallback) {
  const bool* const value = Find<bool>(key, "a boolean");
  return value == nullptr ? fallback : *value;
}

std::string OptionReader::String(absl::string_view key,
                                 absl::string_view fallback) {
  const std::string* const text = Find<std::string>(key, "a string");
  return text == nullptr ? std::string(fallback) : *text;
}

absl::Status OptionReader::Finish() {
  for (const auto& [key, value] : options_.values) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    Fail(key, absl::StrCat("unknown key",
                           known_.empty() ? "; this transport has no options"
                                          : KnownWords(key, known_)));
  }
  return status_;
}

}  // namespace cluster
