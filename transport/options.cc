#include "cluster/transport/options.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cluster/base/known_words.h"

namespace cluster {
namespace {

struct Show {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const {
    return absl::StrCat(value);
  }
  std::string operator()(double value) const { return absl::StrCat(value); }
  std::string operator()(const std::string& value) const {
    constexpr std::size_t kShownBytes = 80;
    const absl::string_view shown =
        absl::string_view(value).substr(0, kShownBytes);
    return absl::StrCat("\"", absl::Utf8SafeCEscape(shown),
                        shown.size() < value.size() ? "..." : "", "\"");
  }
};

}  // namespace

template <typename T>
const T* OptionReader::Find(absl::string_view key, absl::string_view want) {
  known_.emplace_back(key);
  const auto found = options_.values.find(known_.back());
  if (found == options_.values.end()) return nullptr;
  const T* const value = std::get_if<T>(&found->second);
  if (value == nullptr)
    Fail(key, absl::StrCat("found ", std::visit(Show(), found->second),
                           ", want ", want));
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
                                          : internal::KnownWords(key, known_)));
  }
  return status_;
}

}  // namespace cluster
