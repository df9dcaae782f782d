#include "cluster/server/peer.h"

namespace cluster {

void AddCounters(const PeerStats& more, PeerStats* total) {
  total->sessions += more.sessions;
  total->accepted += more.accepted;
  total->memory_refused += more.memory_refused;
  total->acknowledged += more.acknowledged;
  for (std::size_t i = 0; i < more.dropped.size(); ++i)
    total->dropped[i] += more.dropped[i];
  total->frames_sent += more.frames_sent;
  total->frames_retransmitted += more.frames_retransmitted;
  total->redials_by_watchdog += more.redials_by_watchdog;
  total->bytes_sent += more.bytes_sent;
  total->received += more.received;
  total->frames_received += more.frames_received;
  total->bytes_received += more.bytes_received;
  for (std::size_t i = 0; i < more.refused.size(); ++i)
    total->refused[i] += more.refused[i];
}

}  // namespace cluster
