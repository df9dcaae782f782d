// clusterctl: shows the state of a cluster, and says what is wrong with it.
//
//   bazel run //cluster:clusterctl -- --config=cluster.json status

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cluster/base/known_words.h"
#include "cluster/config.h"
#include "programs/clusterctl/admin_client.h"
#include "programs/clusterctl/check.h"
#include "programs/clusterctl/doctor.h"
#include "programs/clusterctl/server_view.h"
#include "programs/clusterctl/table.h"
#include "programs/printable.h"
#include "programs/run_program.h"
#include "programs/signals.h"
#include "rapidjson/prettywriter.h"
#include "rapidjson/stringbuffer.h"

ABSL_FLAG(std::string, config, "", "the cluster's config");
ABSL_FLAG(bool, json, false, "print JSON");
ABSL_FLAG(std::int32_t, timeout_ms, 3000, "for each answer");
ABSL_FLAG(std::string, token_file, "", "instead of the config's");
ABSL_FLAG(std::string, certificate, "", "instead of the config's");
ABSL_FLAG(std::int32_t, from, -1, "ping: the server that measures");
ABSL_FLAG(std::int32_t, count, 4, "ping: how many round trips");
ABSL_FLAG(std::int32_t, interval_ms, 1000, "top, ping: the time between two");

namespace cluster {
namespace {

constexpr char kUsage[] =
    "Shows the state of a cluster, and says what is wrong with it.\n\n"
    "  $0 check FILE...               checks configs, their keys, and what "
    "differs\n"
    "                                 between them and must not\n"
    "  $0 --config=FILE status        each server, and each of its peers\n"
    "  $0 --config=FILE top           the same with rates, live, until Ctrl-C\n"
    "  $0 --config=FILE matrix        which server hears which\n"
    "  $0 --config=FILE ping ID       round trips to server ID over the real "
    "links\n"
    "  $0 --config=FILE doctor        why servers are not up, in words\n\n"
    "It is no member of the cluster. It asks the admin servers that the config "
    "lists\n(\"admin\": \"127.0.0.1:9101\" beside a server's address), so "
    "start "
    "the servers with\nthe same config.\n\n"
    "  --config=FILE      the cluster's config\n"
    "  --json             print JSON, for programs\n"
    "  --timeout_ms=N     wait so long for each answer (3000)\n"
    "  --token_file=FILE  the token, instead of the config's admin.token_file\n"
    "  --certificate=FILE  what the servers must show, instead of the "
    "config's\n"
    "                     admin.certificate\n"
    "  --from=ID          ping: the server that measures (the first that "
    "answers)\n"
    "  --count=N          ping: so many round trips (4)\n"
    "  --interval_ms=N    top and ping: the time between two (1000)\n\n"
    "Exit code 3 says that it did its work, and that something is wrong: a "
    "server that\nis down or does not answer, files that differ, a finding of "
    "the doctor.\n";

using Json = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

std::string JsonText(const std::function<void(Json*)>& write) {
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  json.SetIndent(' ', 2);
  write(&json);
  return absl::StrCat(buffer.GetString(), "\n");
}

void Text(Json* json, absl::string_view text) {
  json->String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void Member(Json* json, const char* name, absl::string_view text) {
  json->Key(name);
  Text(json, text);
}

// "12s", "3m", "2h", "5d".
std::string Age(absl::Duration age) {
  if (age < absl::ZeroDuration()) age = absl::ZeroDuration();
  if (age < absl::Minutes(2))
    return absl::StrCat(absl::ToInt64Seconds(age), "s");
  if (age < absl::Hours(2)) return absl::StrCat(absl::ToInt64Minutes(age), "m");
  if (age < absl::Hours(48)) return absl::StrCat(absl::ToInt64Hours(age), "h");
  return absl::StrCat(absl::ToInt64Hours(age) / 24, "d");
}

std::string AgeOf(absl::Time since, absl::Time now) {
  return since == absl::InfinitePast() ? "-" : Age(now - since);
}

std::string RoundTrip(absl::Duration rtt) {
  if (rtt == absl::ZeroDuration()) return "-";
  return absl::StrFormat("%.3gms", absl::ToDoubleMilliseconds(rtt));
}

std::string Bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? absl::StrCat(bytes, "B")
                   : absl::StrFormat("%.1f%s", value, kUnits[unit]);
}

std::uint64_t SumOf(const Counts& counts) {
  std::uint64_t sum = 0;
  for (const auto& [name, count] : counts) sum += count;
  return sum;
}

class Control {
 public:
  explicit Control(Config config)
      : config_(std::move(config)), client_(config_, ClientOptions()) {
    for (const ServerAddress& server : config_.servers)
      ids_.push_back(server.id);
    std::sort(ids_.begin(), ids_.end());
  }

  absl::Status Status();
  absl::Status Top();
  absl::Status Matrix();
  absl::Status Ping(int id);
  absl::Status Doctor();

 private:
  static AdminClient::Options ClientOptions() {
    AdminClient::Options options;
    options.timeout = absl::Milliseconds(absl::GetFlag(FLAGS_timeout_ms));
    options.token_file = UsersPath(absl::GetFlag(FLAGS_token_file));
    options.certificate = UsersPath(absl::GetFlag(FLAGS_certificate));
    return options;
  }

  // An error if no server has an admin server.
  absl::StatusOr<std::vector<Evidence>> Look();
  static bool AllUp(const std::vector<Evidence>& evidence);
  std::string StatusText(const std::vector<Evidence>& evidence) const;

  const Config config_;
  AdminClient client_;
  std::vector<int> ids_;
  std::map<int, std::string> bodies_;  // of the last Look that were statuses
};

absl::StatusOr<std::vector<Evidence>> Control::Look() {
  const bool any = std::any_of(
      config_.servers.begin(), config_.servers.end(),
      [](const ServerAddress& server) { return !server.admin.empty(); });
  if (!any) {
    return absl::FailedPreconditionError(absl::StrCat(
        PlaceOf(config_, "servers"),
        ": no server has an \"admin\" address; want one beside the address of "
        "each, such as {\"id\": 1, \"address\": ..., \"admin\": "
        "\"127.0.0.1:9101\"}, and the servers started with it"));
  }
  std::vector<Evidence> evidence;
  bodies_.clear();
  for (AdminAnswer& answer : client_.Get(ids_, "/status")) {
    Evidence server{answer.id, answer.status.ok()
                                   ? ParseStatus(answer.body)
                                   : absl::StatusOr<ServerView>(answer.status)};
    if (server.view.ok()) {
      bodies_[answer.id] = std::move(answer.body);
      // A foreign process may have taken its place.
      if (server.view->id != answer.id) {
        server.view = absl::FailedPreconditionError(
            absl::StrCat("the admin address of server ", answer.id,
                         " is that of server ", server.view->id));
      }
    }
    evidence.push_back(std::move(server));
  }
  return evidence;
}

// Every server answers, runs, and hears all others.
bool Control::AllUp(const std::vector<Evidence>& evidence) {
  return std::all_of(evidence.begin(), evidence.end(),
                     [](const Evidence& server) {
                       return server.view.ok() && server.view->running &&
                              server.view->members_up == server.view->members;
                     });
}

std::string Control::StatusText(const std::vector<Evidence>& evidence) const {
  Table servers({"SERVER", "STATE", "UP", "SINCE", "ADDRESS", "LIBRARY"});
  Table peers({"FROM", "TO", "STATE", "SINCE", "RTT", "QUEUED", "IN FLIGHT",
               "DROPPED", "REFUSED", "LAST TROUBLE"});
  for (const Evidence& server : evidence) {
    const std::string id = absl::StrCat(server.id);
    if (!server.view.ok()) {
      servers.Row({id, "no answer", "-", "-",
                   std::string(server.view.status().message())});
      continue;
    }
    const ServerView& view = *server.view;
    servers.Row({id,
                 view.ready     ? "ready"
                 : view.running ? "alone"
                                : "stopped",
                 absl::StrCat(view.members_up, "/", view.members),
                 AgeOf(view.since, view.at), view.address, view.library});
    for (const PeerView& peer : view.peers) {
      if (!peer.member) continue;
      peers.Row({id, absl::StrCat(peer.id), peer.up ? "up" : "DOWN",
                 AgeOf(peer.since, view.at), RoundTrip(peer.rtt),
                 Bytes(CountOf(peer.gauges, "queued_bytes")),
                 absl::StrCat(CountOf(peer.gauges, "in_flight")),
                 absl::StrCat(SumOf(peer.dropped)),
                 absl::StrCat(SumOf(peer.refused)),
                 peer.last_trouble.empty()
                     ? ""
                     : absl::StrCat(AgeOf(peer.last_trouble_at, view.at),
                                    " ago: ", peer.last_trouble)});
    }
  }
  return absl::StrCat(servers.Text(), "\n", peers.Text());
}

// The answers as they are, by id.
absl::Status Control::Status() {
  const absl::StatusOr<std::vector<Evidence>> evidence = Look();
  if (!evidence.ok()) return evidence.status();
  if (absl::GetFlag(FLAGS_json)) {
    Print(JsonText([&](Json* json) {
      json->StartArray();
      for (const Evidence& server : *evidence) {
        json->StartObject();
        json->Key("id");
        json->Int(server.id);
        if (server.view.ok()) {
          const std::string& body = bodies_.at(server.id);
          json->Key("status");
          json->RawValue(body.data(), body.size(), rapidjson::kObjectType);
        } else {
          Member(json, "error", Printable(server.view.status().message()));
        }
        json->EndObject();
      }
      json->EndArray();
    }));
  } else {
    Print(StatusText(*evidence));
  }
  return AllUp(*evidence) ? absl::OkStatus() : FoundTrouble();
}

// Rates between two looks. A terminal shows the newest at the top of the screen; a
// pipe gets one after the other.
absl::Status Control::Top() {
  Signals signals;
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  std::map<std::pair<int, int>, PeerView> before;
  std::map<int, absl::Time> before_at;
  while (true) {
    const absl::StatusOr<std::vector<Evidence>> evidence = Look();
    if (!evidence.ok()) return evidence.status();
    Table table({"FROM", "TO", "STATE", "SINCE", "RTT", "OUT/s", "IN/s",
                 "OUT BYTES/s", "IN BYTES/s", "QUEUED", "DROPS/s"});
    for (const Evidence& server : *evidence) {
      const std::string id = absl::StrCat(server.id);
      if (!server.view.ok()) {
        table.Row(
            {id, "", "no answer", std::string(server.view.status().message())});
        continue;
      }
      const ServerView& view = *server.view;
      const double seconds =
          before_at.count(view.id) == 0
              ? 0
              : absl::ToDoubleSeconds(view.at - before_at[view.id]);
      for (const PeerView& peer : view.peers) {
        if (!peer.member) continue;
        const PeerView& last = before[{view.id, peer.id}];
        const auto rate = [&](std::uint64_t now, std::uint64_t then) {
          if (seconds <= 0 || now < then) return std::string("-");
          return absl::StrFormat("%.0f",
                                 static_cast<double>(now - then) / seconds);
        };
        const auto count = [&](const char* name) {
          return rate(CountOf(peer.counters, name),
                      CountOf(last.counters, name));
        };
        table.Row({id, absl::StrCat(peer.id), peer.up ? "up" : "DOWN",
                   AgeOf(peer.since, view.at), RoundTrip(peer.rtt),
                   count("acknowledged"), count("received"),
                   count("bytes_sent"), count("bytes_received"),
                   Bytes(CountOf(peer.gauges, "queued_bytes")),
                   rate(SumOf(peer.dropped), SumOf(last.dropped))});
        before[{view.id, peer.id}] = peer;
      }
      before_at[view.id] = view.at;
    }
    Print(absl::StrCat(
        terminal ? "\x1b[H\x1b[J" : "",
        absl::FormatTime("%H:%M:%S", absl::Now(), absl::LocalTimeZone()), "  ",
        config_.cluster.empty() ? "" : Printable(config_.cluster), "\n",
        table.Text(), terminal ? "" : "\n"));
    if (std::fflush(stdout) != 0) return OutputError(errno);
    pollfd polled = {signals.descriptor(), POLLIN, 0};
    if (poll(&polled, 1, absl::GetFlag(FLAGS_interval_ms)) > 0)
      return absl::OkStatus();
  }
}

// A row for each server that listens: its view of the others.
absl::Status Control::Matrix() {
  const absl::StatusOr<std::vector<Evidence>> evidence = Look();
  if (!evidence.ok()) return evidence.status();
  const auto cell = [&](const Evidence& from, int to) -> std::string {
    if (from.id == to) return ".";
    if (!from.view.ok()) return "?";
    const PeerView* const peer = from.view->Peer(to);
    if (peer == nullptr) return "not listed";
    return !peer->up                           ? "DOWN"
           : peer->rtt == absl::ZeroDuration() ? "up"
                                               : RoundTrip(peer->rtt);
  };
  if (absl::GetFlag(FLAGS_json)) {
    Print(JsonText([&](Json* json) {
      json->StartArray();
      for (const Evidence& from : *evidence) {
        for (const int to : ids_) {
          if (to == from.id) continue;
          const PeerView* const peer =
              from.view.ok() ? from.view->Peer(to) : nullptr;
          json->StartObject();
          json->Key("server");
          json->Int(from.id);
          json->Key("hears");
          json->Int(to);
          Member(json, "state",
                 !from.view.ok()   ? "unknown"
                 : peer == nullptr ? "not listed"
                 : peer->up        ? "up"
                                   : "down");
          json->Key("rtt_seconds");
          json->Double(peer == nullptr ? 0 : absl::ToDoubleSeconds(peer->rtt));
          json->EndObject();
        }
      }
      json->EndArray();
    }));
  } else {
    std::vector<std::string> head = {"HEARS"};
    for (const int to : ids_) head.push_back(absl::StrCat(to));
    Table table(std::move(head));
    for (const Evidence& from : *evidence) {
      std::vector<std::string> row = {absl::StrCat(from.id)};
      for (const int to : ids_) row.push_back(cell(from, to));
      table.Row(std::move(row));
    }
    Print(table.Text());
    for (const Evidence& one : *evidence) {
      for (const Evidence& two : *evidence) {
        if (!one.view.ok() || !two.view.ok()) continue;
        const PeerView* const there = one.view->Peer(two.id);
        const PeerView* const back = two.view->Peer(one.id);
        if (there == nullptr || back == nullptr || there->up || !back->up)
          continue;
        Print(absl::StrCat("one way: server ", two.id, " hears server ", one.id,
                           ", but not the other way\n"));
      }
      if (!one.view.ok()) {
        Print(absl::StrCat("server ", one.id, ": ",
                           Printable(one.view.status().message()), "\n"));
      }
    }
  }
  return AllUp(*evidence) ? absl::OkStatus() : FoundTrouble();
}

absl::Status Control::Ping(int id) {
  const absl::StatusOr<std::vector<Evidence>> evidence = Look();
  if (!evidence.ok()) return evidence.status();
  const int wanted = absl::GetFlag(FLAGS_from);
  const Evidence* from = nullptr;
  for (const Evidence& server : *evidence) {
    if (server.id == id || (wanted >= 0 && server.id != wanted)) continue;
    if (from == nullptr && (server.view.ok() || wanted >= 0)) from = &server;
  }
  if (from == nullptr) {
    return wanted >= 0
               ? UsageError(absl::StrCat("--from=", wanted,
                                         ": want another member than ", id))
               : absl::UnavailableError(
                     "no other server answers, which could measure");
  }
  if (!from->view.ok()) return from->view.status();
  const PeerView* const peer = from->view->Peer(id);
  if (peer == nullptr) {
    return absl::NotFoundError(absl::StrCat(
        "server ", from->id, " does not list server ", id, " as a member"));
  }
  std::uint64_t seen = peer->round_trips;
  std::vector<absl::Duration> times;
  const int count = absl::GetFlag(FLAGS_count);
  int lost = 0;
  for (int i = 0; i < count; ++i) {
    const absl::Time begin = absl::Now();
    const absl::Time deadline =
        begin + absl::Milliseconds(absl::GetFlag(FLAGS_timeout_ms));
    bool answered = false;
    while (!answered && absl::Now() < deadline) {
      const AdminAnswer asked =
          client_.Get({from->id}, absl::StrCat("/probe?peer=", id)).front();
      if (!asked.status.ok()) return asked.status;
      poll(nullptr, 0, 20);
      const AdminAnswer answer = client_.Get({from->id}, "/status").front();
      if (!answer.status.ok()) return answer.status;
      const absl::StatusOr<ServerView> view = ParseStatus(answer.body);
      if (!view.ok()) return view.status();
      const PeerView* const now = view->Peer(id);
      if (now == nullptr) return absl::NotFoundError("it was removed");
      if (now->round_trips == seen) continue;
      seen = now->round_trips;
      times.push_back(now->last_round_trip);
      answered = true;
    }
    lost += answered ? 0 : 1;
    if (!absl::GetFlag(FLAGS_json)) {
      Print(answered ? absl::StrCat("server ", id, " from server ", from->id,
                                    ": ", RoundTrip(times.back()), "\n")
                     : absl::StrCat("server ", id, " from server ", from->id,
                                    ": no answer\n"));
      std::fflush(stdout);
    }
    const absl::Duration rest =
        begin + absl::Milliseconds(absl::GetFlag(FLAGS_interval_ms)) -
        absl::Now();
    if (i + 1 < count && rest > absl::ZeroDuration())
      poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(rest)));
  }
  if (absl::GetFlag(FLAGS_json)) {
    Print(JsonText([&](Json* json) {
      json->StartObject();
      json->Key("from");
      json->Int(from->id);
      json->Key("to");
      json->Int(id);
      json->Key("lost");
      json->Int(lost);
      json->Key("round_trip_seconds");
      json->StartArray();
      for (const absl::Duration time : times)
        json->Double(absl::ToDoubleSeconds(time));
      json->EndArray();
      json->EndObject();
    }));
  }
  return lost == 0 ? absl::OkStatus() : FoundTrouble();
}

absl::Status Control::Doctor() {
  const absl::StatusOr<std::vector<Evidence>> evidence = Look();
  if (!evidence.ok()) return evidence.status();
  const std::vector<Finding> findings = Diagnose(*evidence);
  bool trouble = false;
  for (const Finding& finding : findings) trouble |= finding.trouble;
  if (absl::GetFlag(FLAGS_json)) {
    Print(JsonText([&](Json* json) {
      json->StartArray();
      for (const Finding& finding : findings) {
        json->StartObject();
        Member(json, "code", finding.code);
        json->Key("servers");
        json->StartArray();
        for (const int id : finding.servers) json->Int(id);
        json->EndArray();
        json->Key("trouble");
        json->Bool(finding.trouble);
        Member(json, "what", Printable(finding.what));
        Member(json, "remedy", Printable(finding.remedy));
        json->EndObject();
      }
      json->EndArray();
    }));
  } else {
    for (const Finding& finding : findings) {
      Print(absl::StrCat(finding.servers.size() == 1 ? "server " : "servers ",
                         absl::StrJoin(finding.servers, " and "), ": ",
                         finding.trouble ? "" : "(up) ", finding.code, "\n  ",
                         Printable(finding.what),
                         "\n  to do: ", Printable(finding.remedy), "\n"));
    }
    if (findings.empty()) {
      Print(absl::StrCat("all ", evidence->size(),
                         " servers run and hear each other\n"));
    }
  }
  return trouble ? FoundTrouble() : absl::OkStatus();
}

absl::Status Check(const std::vector<std::string>& files) {
  if (files.empty()) return UsageError("check: want one file or more");
  std::vector<std::string> paths;
  for (const std::string& file : files) paths.push_back(UsersPath(file));
  constexpr const char* kKinds[] = {"good", "warning", "wrong"};
  bool wrong = false;
  const std::vector<CheckLine> lines = CheckFiles(paths);
  for (const CheckLine& line : lines) wrong |= line.kind == CheckLine::kWrong;
  if (absl::GetFlag(FLAGS_json)) {
    Print(JsonText([&](Json* json) {
      json->StartArray();
      for (const CheckLine& line : lines) {
        json->StartObject();
        Member(json, "kind", kKinds[line.kind]);
        Member(json, "text", Printable(line.text));
        json->EndObject();
      }
      json->EndArray();
    }));
  } else {
    for (const CheckLine& line : lines) {
      Print(absl::StrCat(line.kind == CheckLine::kGood
                             ? ""
                             : absl::StrCat(kKinds[line.kind], ": "),
                         Printable(line.text), "\n"));
    }
  }
  return wrong ? FoundTrouble() : absl::OkStatus();
}

absl::Status Run(const std::vector<std::string>& arguments) {
  const std::vector<std::string> commands = {"check",  "status", "top",
                                             "matrix", "ping",   "doctor"};
  if (arguments.empty()) {
    return UsageError(absl::StrCat(
        "want a command: ", absl::StrJoin(commands, ", "), "; see --help"));
  }
  const std::string& command = arguments[0];
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  if (std::count(commands.begin(), commands.end(), command) == 0) {
    return UsageError(absl::StrCat("no command ", command,
                                   internal::NearestWord(command, commands),
                                   "; see --help"));
  }
  constexpr std::int64_t kHourMs = 60 * 60 * 1000;
  absl::Status flags =
      CheckFlag("timeout_ms", absl::GetFlag(FLAGS_timeout_ms), 1, kHourMs);
  flags.Update(
      CheckFlag("interval_ms", absl::GetFlag(FLAGS_interval_ms), 10, kHourMs));
  flags.Update(CheckFlag("count", absl::GetFlag(FLAGS_count), 1, 1000000));
  if (!flags.ok()) return flags;
  if (command == "check") return Check(rest);

  int id = 0;
  if (command == "ping"
          ? rest.size() != 1 || !absl::SimpleAtoi(rest[0], &id) || id < 0
          : !rest.empty()) {
    return UsageError(command == "ping"
                          ? "ping: want one server id"
                          : absl::StrCat(command, ": takes no argument"));
  }
  if (absl::GetFlag(FLAGS_config).empty())
    return UsageError("name the cluster's config with --config=FILE");
  absl::StatusOr<Config> config =
      LoadConfig(UsersPath(absl::GetFlag(FLAGS_config)));
  if (!config.ok()) return config.status();
  Control control(*std::move(config));
  if (command == "status") return control.Status();
  if (command == "top") return control.Top();
  if (command == "matrix") return control.Matrix();
  if (command == "ping") return control.Ping(id);
  return control.Doctor();
}

}  // namespace
}  // namespace cluster

int main(int argc, char** argv) {
  return cluster::RunProgram(cluster::kUsage, &cluster::Run, argc, argv);
}
