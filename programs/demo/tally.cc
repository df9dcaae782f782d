#include "programs/demo/tally.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cluster {
namespace demo {

void Tally::Add(const Tally& other) {
  sent += other.sent;
  delivered += other.delivered;
  duplicated += other.duplicated;
  out_of_order += other.out_of_order;
  foreign += other.foreign;
}

std::string ToLine(const Tally& tally) {
  return absl::StrCat(tally.sent, " ", tally.delivered, " ", tally.duplicated,
                      " ", tally.out_of_order, " ", tally.foreign);
}

bool FromLine(absl::string_view line, Tally* tally) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  return words.size() == 5 && absl::SimpleAtoi(words[0], &tally->sent) &&
         absl::SimpleAtoi(words[1], &tally->delivered) &&
         absl::SimpleAtoi(words[2], &tally->duplicated) &&
         absl::SimpleAtoi(words[3], &tally->out_of_order) &&
         absl::SimpleAtoi(words[4], &tally->foreign);
}

void ArrivalLog::Add(std::uint64_t number, Tally* tally) {
  if (number >= expected_) {
    ++tally->foreign;
    return;
  }
  if (number >= behind_last_) {
    behind_last_ = number + 1;
    seen_.resize(behind_last_);
  } else if (seen_[number]) {
    ++tally->duplicated;
    return;
  } else {
    ++tally->out_of_order;
  }
  seen_[number] = true;
  ++tally->delivered;
}

}  // namespace demo
}  // namespace cluster
