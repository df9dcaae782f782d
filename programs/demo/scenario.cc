#include "programs/demo/scenario.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace cluster {
namespace demo {

const std::vector<Scenario>& Scenarios() {
  static const std::vector<Scenario>* const kScenarios =
      new std::vector<Scenario>{
          {0, "unicast", true, false, false},
          {1, "multicast", false, true, false},
          {2, "mixed", true, true, false},
          {3, "cyclic", false, false, true},
      };
  return *kScenarios;
}

int NextId(int id, const std::vector<int>& ids) {
  const auto next = std::upper_bound(ids.begin(), ids.end(), id);
  return next == ids.end() ? ids.front() : *next;
}

std::uint64_t PerRound(const Scenario& scenario, int sender, int receiver,
                       const std::vector<int>& ids) {
  if (scenario.to_next) return NextId(sender, ids) == receiver ? 1 : 0;
  if (sender == receiver) return 0;
  return (scenario.to_each ? 1u : 0u) + (scenario.to_all ? 1u : 0u);
}

std::uint64_t ArrivalsPerRound(const Scenario& scenario, int receiver,
                               const std::vector<int>& ids) {
  std::uint64_t arrivals = 0;
  for (int sender : ids) arrivals += PerRound(scenario, sender, receiver, ids);
  return arrivals;
}

std::vector<Envelope> RoundOf(const Scenario& scenario, int sender,
                              const std::vector<int>& ids, std::uint64_t round,
                              std::size_t payload_bytes) {
  std::vector<Envelope> envelopes;
  std::uint64_t number =
      scenario.to_each && scenario.to_all ? 2 * round : round;
  const auto add = [&](int pid) {
    Envelope envelope;
    envelope.pid = pid;
    envelope.payload = NumberedPayload(scenario.index, number, payload_bytes);
    envelopes.push_back(std::move(envelope));
  };
  if (scenario.to_each) {
    for (int id : ids) {
      if (id != sender) add(id);
    }
    ++number;
  }
  if (scenario.to_all) add(kBroadcast);
  if (scenario.to_next) add(NextId(sender, ids));
  return envelopes;
}

std::string NumberedPayload(std::size_t scenario, std::uint64_t number,
                            std::size_t payload_bytes) {
  std::string payload = absl::StrCat(scenario, " ", number, " ");
  payload.resize(std::max(payload_bytes, payload.size()), 'x');
  return payload;
}

bool ReadNumberedPayload(absl::string_view payload, std::size_t* scenario,
                         std::uint64_t* number) {
  const std::size_t first = payload.find(' ');
  if (first == absl::string_view::npos) return false;
  const std::size_t second = payload.find(' ', first + 1);
  if (second == absl::string_view::npos) return false;
  return absl::SimpleAtoi(payload.substr(0, first), scenario) &&
         absl::SimpleAtoi(payload.substr(first + 1, second - first - 1),
                          number) &&
         payload.find_first_not_of('x', second + 1) == absl::string_view::npos;
}

}  // namespace demo
}  // namespace cluster
