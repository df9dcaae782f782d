// Scenario: the four patterns of traffic in a run of the demo.
//
// For each pattern it says how many envelopes every ordered pair of servers
// expects. A pair numbers its envelopes from 0 in the order of sending, across
// unicasts and broadcasts. demo_server.h sends and counts. Pure functions and
// constants.
//
//   const std::vector<int> all = {1, 2, 3};
//   for (const Envelope& envelope : RoundOf(Scenarios()[0], 1, all, 0, 64))
//     server.Send(envelope);

#ifndef PROGRAMS_DEMO_SCENARIO_H_
#define PROGRAMS_DEMO_SCENARIO_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cluster/envelope.h"

namespace cluster {
namespace demo {

struct Scenario {
  std::size_t index = 0;  // in Scenarios
  const char* name = "";
  bool to_each = false;  // a unicast to each other server, ...
  bool to_all = false;   // ... then a broadcast, ...
  bool to_next = false;  // ... or a unicast to the next server by id
};

const std::vector<Scenario>& Scenarios();

// The server after `id` in the sorted `ids`; the first follows the last.
int NextId(int id, const std::vector<int>& ids);

// How many envelopes `receiver` gets from `sender` in each round.
std::uint64_t PerRound(const Scenario& scenario, int sender, int receiver,
                       const std::vector<int>& ids);

// How many `receiver` gets from all in each round.
std::uint64_t ArrivalsPerRound(const Scenario& scenario, int receiver,
                               const std::vector<int>& ids);

// The envelopes of `sender` in one round, payloads padded to `payload_bytes`.
std::vector<Envelope> RoundOf(const Scenario& scenario, int sender,
                              const std::vector<int>& ids, std::uint64_t round,
                              std::size_t payload_bytes);

// The payload: "<scenario> <number> xxx...". At least kPayloadBytesMin long.
inline constexpr std::size_t kPayloadBytesMin = 24;
std::string NumberedPayload(std::size_t scenario, std::uint64_t number,
                            std::size_t payload_bytes);
// false: it is not such a payload.
bool ReadNumberedPayload(absl::string_view payload, std::size_t* scenario,
                         std::uint64_t* number);

}  // namespace demo
}  // namespace cluster

#endif  // PROGRAMS_DEMO_SCENARIO_H_
