#include "cluster/base/known_words.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace cluster::internal {
namespace {

// A longer word is garbage, and not worth its comparison.
constexpr std::size_t kWordBytesMax = 64;
// The shortest part of a word that points at it.
constexpr std::size_t kPartBytesMin = 3;

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

// Whether `part` is a piece of `whole`: long enough, or a word of its own
// ("id" of "server_id").
bool IsPart(absl::string_view part, absl::string_view whole) {
  if (part.size() >= kPartBytesMin && absl::StrContains(whole, part))
    return true;
  const std::vector<absl::string_view> pieces =
      absl::StrSplit(whole, absl::ByAnyChar("_-. "));
  return std::find(pieces.begin(), pieces.end(), part) != pieces.end();
}

// How far `word` is from being `known`, both in lower case.
std::size_t Distance(absl::string_view word, absl::string_view known) {
  const std::size_t edits = EditDistance(word, known);
  if (edits == 0) return 0;
  if (absl::StartsWith(known, word) && word.size() >= kPartBytesMin) return 1;
  const bool part = IsPart(word, known) || IsPart(known, word);
  return part ? std::min<std::size_t>(edits, 2) : edits;
}

}  // namespace

std::string NearestWord(absl::string_view word,
                        const std::vector<std::string>& known) {
  if (word.empty() || word.size() > kWordBytesMax) return "";
  const std::string lower = absl::AsciiStrToLower(word);
  // At least one letter has to be right.
  std::size_t least =
      std::min(std::max<std::size_t>(2, word.size() / 3) + 1, word.size());
  std::string question;
  for (const std::string& candidate : known) {
    const std::size_t distance =
        Distance(lower, absl::AsciiStrToLower(candidate));
    if (distance >= least) continue;
    least = distance;
    question = absl::StrCat("; did you mean \"", candidate, "\"?");
  }
  return question;
}

std::string KnownWords(absl::string_view word,
                       const std::vector<std::string>& known) {
  return absl::StrCat(NearestWord(word, known),
                      "; known: ", absl::StrJoin(known, ", "));
}

}  // namespace cluster::internal
