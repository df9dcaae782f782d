// Fate: the end of one envelope that was sent with SendOptions::report_fate, for
// OnFate (server.h).
//
// A plain value. A broadcast and a multicast have one for each recipient.
//
//   server->OnFate([](const cluster::Fate& fate) {
//     if (!fate.acknowledged()) raft.ReportUnreachable(fate.pid);
//   });

#ifndef CLUSTER_FATE_H_
#define CLUSTER_FATE_H_

#include <ostream>

#include "absl/types/optional.h"
#include "cluster/envelope.h"
#include "cluster/stats.h"

namespace cluster {

struct Fate {
  MessageId message_id{};  // as SendWithId returned it, or is about to
  int pid = 0;             // the recipient
  // Why it was dropped. If it had been transmitted (kPeerRestart, kRemoved), the
  // peer may have got it all the same. None: it was acknowledged.
  absl::optional<DropReason> dropped;

  bool acknowledged() const { return !dropped.has_value(); }
};

// One line: "envelope 7-3 to server 2: dropped (peer restart)".
inline std::ostream& operator<<(std::ostream& out, const Fate& fate) {
  out << "envelope " << fate.message_id << " to server " << fate.pid << ": ";
  if (fate.acknowledged()) return out << "acknowledged";
  return out << "dropped (" << DropReasonName(*fate.dropped) << ")";
}

}  // namespace cluster

#endif  // CLUSTER_FATE_H_
