// Tally: counts lost, duplicate and reordered envelopes by their numbers.
//
// ArrivalLog counts for one ordered pair of servers, Tally sums up. Both trust
// payloads only, not the library's own counters. One thread at a time.
//
//   ArrivalLog log;
//   Tally tally;
//   log.Add(number, &tally);

#ifndef PROGRAMS_DEMO_TALLY_H_
#define PROGRAMS_DEMO_TALLY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cluster {
namespace demo {

// A broadcast counts once per recipient.
struct Tally {
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;     // for the first time
  std::uint64_t duplicated = 0;    // again
  std::uint64_t out_of_order = 0;  // delivered behind a later one
  std::uint64_t foreign = 0;       // with a number that was not sent

  std::uint64_t lost() const { return sent > delivered ? sent - delivered : 0; }
  void Add(const Tally& other);
};

// Converts to one line of numbers, and back. False: it is not such a line.
std::string ToLine(const Tally& tally);
bool FromLine(absl::string_view line, Tally* tally);

// The numbers that one server got from another in one scenario.
class ArrivalLog {
 public:
  // Expects the numbers from 0 to below `expected`.
  explicit ArrivalLog(std::uint64_t expected) : expected_(expected) {}

  void Add(std::uint64_t number, Tally* tally);

 private:
  const std::uint64_t expected_;
  std::uint64_t behind_last_ = 0;  // one more than the greatest so far
  std::vector<bool> seen_;         // grows with behind_last_
};

}  // namespace demo
}  // namespace cluster

#endif  // PROGRAMS_DEMO_TALLY_H_
