// LogRecord: something that happened to a server, for a log (Server::SetLogSink).
//
// A server says when it starts and stops, and each PeerEvent, whether or not there
// is a handler for events. The library itself writes no log. A value.
//
//   server->SetLogSink([](const cluster::LogRecord& record) {
//     std::cerr << record << "\n";
//   });

#ifndef CLUSTER_LOG_H_
#define CLUSTER_LOG_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/time/time.h"
#include "cluster/export.h"
#include "cluster/peer_event.h"

namespace cluster {

enum class LogSeverity {
  kInfo,     // as expected: started, a peer came up
  kWarning,  // somebody should look: a peer is down, or was refused
  kError,    // the server cannot go on
};
CLUSTER_EXPORT const char* LogSeverityName(LogSeverity severity);

struct LogRecord {
  absl::Time time;
  LogSeverity severity = LogSeverity::kInfo;
  // "started", "stopping", "stopped", or the name of the event: "up", "down",
  // "restarted", "removed", "rejected", "stranger", "warning".
  std::string event;
  int server = 0;
  int peer = PeerEvent::kNobody;  // that it is about
  std::string text;               // for people; control characters are escaped
  // Records that were left out before this one, since too many came at once; and
  // as PeerEvent::withheld.
  std::uint64_t withheld = 0;
};

// One line: "2026-11-30T12:00:00.123Z warning server 1: peer 2 down: it stopped".
CLUSTER_EXPORT std::ostream& operator<<(std::ostream& out,
                                        const LogRecord& record);

}  // namespace cluster

#endif  // CLUSTER_LOG_H_
