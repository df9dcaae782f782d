#include "programs/clusterctl/check.h"

#include <unistd.h>

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cluster/config.h"
#include "cluster/config/check.h"
#include "cluster/config/keys.h"
#include "cluster/server.h"

namespace cluster {
namespace {

// As the events of a server warn.
constexpr absl::Duration kExpiresSoon = absl::Hours(24 * 30);

// Of the top level, and read by FindConfigKey. Others may differ (docs/using.md).
constexpr const char* kMustAgree[] = {"cluster", "delivery", "transport",
                                      "json_dialect"};

using Lines = std::vector<CheckLine>;

void Expiry(const std::string& what, absl::Time expires, Lines* lines) {
  if (expires == absl::InfiniteFuture()) return;
  const std::string date =
      absl::FormatTime("%Y-%m-%d", expires, absl::UTCTimeZone());
  const bool soon = expires < absl::Now() + kExpiresSoon;
  lines->push_back(
      {soon ? CheckLine::kWarning : CheckLine::kGood,
       absl::StrCat(what, ": certificate until ", date,
                    soon ? "; replace it (docs/security.md)" : "")});
}

// The server's keys, if they are on this machine.
void CheckKeys(const Config& config, int id, Lines* lines) {
  const absl::StatusOr<SecurityFiles> files =
      internal::ResolveSecurity(config, id);
  const std::string what = absl::StrCat(config.origin, ": server ", id);
  if (!files.ok()) {
    lines->push_back(
        {CheckLine::kWrong, std::string(files.status().message())});
    return;
  }
  if (access(files->identity.c_str(), F_OK) != 0) {
    lines->push_back({CheckLine::kGood,
                      absl::StrCat(what, ": its keys are not on this machine (",
                                   files->identity, ")")});
    return;
  }
  const absl::StatusOr<std::unique_ptr<Server>> server = NewServer(id, config);
  if (!server.ok()) {
    lines->push_back({CheckLine::kWrong,
                      absl::StrCat(what, ": ", server.status().message())});
    return;
  }
  const ServerStats stats = (*server)->Stats();
  Expiry(what, stats.own.certificate_expires, lines);
  for (const PeerStats& peer : stats.peers)
    Expiry(absl::StrCat(what, ", its peer ", peer.peer),
           peer.certificate_expires, lines);
}

void CheckOne(const Config& config, Lines* lines) {
  if (config.security.mode != SecurityConfig::Mode::kNone) {
    for (const ServerAddress& server : config.servers)
      CheckKeys(config, server.id, lines);
  } else {
    // The transport's own options.
    const absl::StatusOr<std::unique_ptr<Server>> server =
        NewServer(config.servers.front().id, config);
    if (!server.ok()) {
      lines->push_back(
          {CheckLine::kWrong, std::string(server.status().message())});
    }
  }
  if (config.peer_timeout < 2 * config.heartbeat &&
      config.delivery == Delivery::kReliable) {
    lines->push_back({CheckLine::kWarning,
                      absl::StrCat(PlaceOf(config, "peer_timeout_ms"), ": ",
                                   absl::FormatDuration(config.peer_timeout),
                                   ", less than two heartbeats of ",
                                   absl::FormatDuration(config.heartbeat))});
  }
}

std::string ServersText(const Config& config) {
  std::string text;
  for (const ServerAddress& server : config.servers)
    absl::StrAppend(&text, text.empty() ? "" : ", ", server.id, " at ",
                    server.address);
  return text;
}

void Compare(const Config& one, const Config& other, Lines* lines) {
  const auto differ = [&](absl::string_view key, const std::string& in_one,
                          const std::string& in_other) {
    if (in_one == in_other) return;
    lines->push_back(
        {CheckLine::kWrong,
         absl::StrCat(PlaceOf(other, key), ": ", in_other, ", but ",
                      PlaceOf(one, key), ": ", in_one, "; want the same")});
  };
  for (const char* const key : kMustAgree) {
    const internal::ConfigKey& declared = *internal::FindConfigKey(key);
    differ(key, internal::ValueIn(one, declared),
           internal::ValueIn(other, declared));
  }
  const auto mode = [](const Config& config) {
    return internal::ValueIn(config, *internal::FindConfigKey("security.mode"));
  };
  differ("security", mode(one), mode(other));
  for (const ServerAddress& server : one.servers) {
    const ServerAddress* found = nullptr;
    for (const ServerAddress& candidate : other.servers)
      if (candidate.id == server.id) found = &candidate;
    differ("servers",
           absl::StrCat("server ", server.id, " at ", server.address),
           found == nullptr
               ? absl::StrCat("no server ", server.id)
               : absl::StrCat("server ", server.id, " at ", found->address));
  }
  if (one.servers.size() < other.servers.size())
    differ("servers", ServersText(one), ServersText(other));
  if (one.peer_timeout < 2 * other.heartbeat ||
      other.peer_timeout < 2 * one.heartbeat) {
    lines->push_back(
        {CheckLine::kWarning,
         absl::StrCat(one.origin, " and ", other.origin,
                      ": a peer_timeout_ms is less than twice the other's "
                      "heartbeat_ms; give both the same times")});
  }
}

}  // namespace

std::vector<CheckLine> CheckFiles(const std::vector<std::string>& files) {
  Lines lines;
  std::vector<Config> configs;
  for (const std::string& file : files) {
    absl::StatusOr<Config> config = LoadConfig(file);
    if (!config.ok()) {
      lines.push_back(
          {CheckLine::kWrong, std::string(config.status().message())});
      continue;
    }
    const std::size_t before = lines.size();
    CheckOne(*config, &lines);
    bool good = true;
    for (std::size_t i = before; i < lines.size(); ++i)
      good = good && lines[i].kind != CheckLine::kWrong;
    if (good) {
      lines.insert(
          lines.begin() + static_cast<std::ptrdiff_t>(before),
          {CheckLine::kGood,
           absl::StrCat(file, ": good: ", config->servers.size(),
                        config->servers.size() == 1 ? " server" : " servers",
                        " over ", config->transport)});
    }
    configs.push_back(*std::move(config));
  }
  for (std::size_t i = 1; i < configs.size(); ++i)
    Compare(configs[0], configs[i], &lines);
  return lines;
}

}  // namespace cluster
