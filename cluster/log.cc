#include "cluster/log.h"

namespace cluster {

const char* LogSeverityName(LogSeverity severity) {
  switch (severity) {
    case LogSeverity::kInfo:
      return "info";
    case LogSeverity::kWarning:
      return "warning";
    case LogSeverity::kError:
      return "error";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, const LogRecord& record) {
  out << absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", record.time,
                          absl::UTCTimeZone())
      << " " << LogSeverityName(record.severity) << " server " << record.server
      << ": ";
  if (record.peer != PeerEvent::kNobody) out << "peer " << record.peer << " ";
  out << record.event;
  if (!record.text.empty()) out << ": " << record.text;
  if (record.withheld > 0) out << " (" << record.withheld << " more left out)";
  return out;
}

}  // namespace cluster
