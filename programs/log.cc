#include "programs/log.h"

#include <cstdio>
#include <sstream>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "programs/printable.h"
#include "programs/run_program.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"

ABSL_FLAG(std::string, log_level, "off", "off, info, warning or error");
ABSL_FLAG(std::string, log_format, "text", "text or json");

namespace cluster {
namespace {

// At once, so that lines of several threads and processes do not mix.
void WriteLine(std::string line) {
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

std::string LogText(const LogRecord& record) {
  std::ostringstream out;
  out << record;
  return Printable(out.str());
}

}  // namespace

std::string LogFlagsHelp() {
  return "  --log_level=LEVEL  log to standard error: info, warning, error; or "
         "off (the default)\n"
         "  --log_format=FORM  text or json\n";
}

std::string LogJson(const LogRecord& record) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  const auto text = [&json](const char* name, const std::string& value) {
    json.Key(name);
    json.String(value.c_str(), static_cast<rapidjson::SizeType>(value.size()));
  };
  json.StartObject();
  text("time", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", record.time,
                                absl::UTCTimeZone()));
  text("severity", LogSeverityName(record.severity));
  text("event", record.event);
  json.Key("server");
  json.Int(record.server);
  if (record.peer != PeerEvent::kNobody) {
    json.Key("peer");
    json.Int(record.peer);
  }
  text("text", Printable(record.text));
  if (record.withheld > 0) {
    json.Key("withheld");
    json.Uint64(record.withheld);
  }
  json.EndObject();
  return buffer.GetString();
}

absl::Status SetLogFromFlags(Server* server) {
  const std::string format = absl::GetFlag(FLAGS_log_format);
  if (format != "text" && format != "json") {
    return UsageError(
        absl::StrCat("--log_format=", format, ": want text or json"));
  }
  const std::string level = absl::GetFlag(FLAGS_log_level);
  if (level == "off") return absl::OkStatus();
  for (const LogSeverity least :
       {LogSeverity::kInfo, LogSeverity::kWarning, LogSeverity::kError}) {
    if (level != LogSeverityName(least)) continue;
    server->SetLogSink(
        [least, json = format == "json"](const LogRecord& record) {
          if (record.severity >= least)
            WriteLine(json ? LogJson(record) : LogText(record));
        });
    return absl::OkStatus();
  }
  return UsageError(absl::StrCat("--log_level=", level,
                                 ": want off, info, warning or error"));
}

}  // namespace cluster
