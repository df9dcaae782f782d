// OptionsOf: how long a message of Raft may wait for its peer, and which one
// replaces it.
//
// Raft repeats whatever is lost. So nothing old need wait for a peer that is down:
// a thousand heartbeats are one.
//
//   status = server->Send(envelope, OptionsOf(envelope, absl::Milliseconds(300)));

#ifndef EXAMPLES_RAFT_SEND_OPTIONS_H_
#define EXAMPLES_RAFT_SEND_OPTIONS_H_

#include "absl/time/time.h"
#include "cluster/envelope.h"
#include "cluster/server.h"

namespace raft {

// Nothing of an election is of use after `election_timeout`.
cluster::SendOptions OptionsOf(const cluster::Envelope& envelope,
                               absl::Duration election_timeout);

}  // namespace raft

#endif  // EXAMPLES_RAFT_SEND_OPTIONS_H_
