#include "examples/raft/send_options.h"

#include <cstdint>

#include "examples/raft/messages.h"

namespace raft {
namespace {

// Keys of SendOptions::replaces.
constexpr std::uint64_t kHeartbeat = 1;
constexpr std::uint64_t kVote = 2;

}  // namespace

cluster::SendOptions OptionsOf(const cluster::Envelope& envelope,
                               absl::Duration election_timeout) {
  cluster::SendOptions options;
  if (envelope.lane == cluster::Lane::kUrgent) {
    // A vote, or a request for one: only the newest counts.
    options.replaces = kVote;
    options.expires_after = election_timeout;
  } else if (IsHeartbeat(envelope)) {
    options.replaces = kHeartbeat;
    options.expires_after = election_timeout;
  } else {
    // Entries, a chunk or an answer. A peer that comes up gets a heartbeat, and
    // its answer says what it lacks.
    options.only_if_up = true;
  }
  return options;
}

}  // namespace raft
