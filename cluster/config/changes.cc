#include "cluster/config/changes.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster/config/keys.h"
#include "cluster/config/positioned_json.h"
#include "cluster/transport/address.h"

namespace cluster::internal {
namespace {

constexpr char kNone[] = "none";

struct OptionText {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const {
    return absl::StrCat(value);
  }
  std::string operator()(double value) const { return absl::StrCat(value); }
  std::string operator()(const std::string& value) const {
    return QuotedExcerpt(value);
  }
};

std::string OptionsText(const Config& config, const std::string& transport) {
  const auto options = config.transport_options.find(transport);
  if (options == config.transport_options.end()) return "{}";
  return absl::StrCat(
      "{",
      absl::StrJoin(options->second.values, ", ",
                    [](std::string* out, const auto& option) {
                      absl::StrAppend(out, "\"", option.first, "\": ",
                                      std::visit(OptionText(), option.second));
                    }),
      "}");
}

std::string PeersText(const SecurityConfig& security) {
  if (!security.peers.empty()) return QuotedExcerpt(security.peers);
  return absl::StrCat("{",
                      absl::StrJoin(security.peer_folders, ", ",
                                    [](std::string* out, const auto& peer) {
                                      absl::StrAppend(
                                          out, "\"", peer.first,
                                          "\": ", QuotedExcerpt(peer.second));
                                    }),
                      "}");
}

// Also of the keys that are read by code of their own.
std::string TextOf(const Config& config, const ConfigKey& key) {
  const absl::string_view name = key.name;
  if (name == "security.identity")
    return QuotedExcerpt(config.security.identity);
  if (name == "security.peers") return PeersText(config.security);
  if (name == "admin.token_file") return QuotedExcerpt(config.admin.token_file);
  if (name == "admin.certificate")
    return QuotedExcerpt(config.admin.certificate);
  if (name == "admin.key") return QuotedExcerpt(config.admin.key);
  return ValueIn(config, key);
}

const ServerAddress* Find(const std::vector<ServerAddress>& servers, int id) {
  const auto found =
      std::find_if(servers.begin(), servers.end(),
                   [id](const ServerAddress& one) { return one.id == id; });
  return found == servers.end() ? nullptr : &*found;
}

std::string AddressText(const ServerAddress* server) {
  return server == nullptr ? kNone : server->address;
}

std::string OwnText(const ServerAddress* server) {
  if (server == nullptr) return kNone;
  std::string text = server->address;
  if (!server->listen.empty())
    absl::StrAppend(&text, ", listen ", server->listen);
  if (!server->admin.empty()) absl::StrAppend(&text, ", admin ", server->admin);
  return text;
}

void AddServers(const Config& before, const Config& after, int self_id,
                std::vector<ConfigChange>* changes) {
  const std::vector<ServerAddress> members = MembersOf(before, after);
  std::set<int> ids;
  for (const auto* servers : {&before.servers, &members})
    for (const ServerAddress& server : *servers) ids.insert(server.id);
  for (const int id : ids) {
    const bool own = id == self_id;
    const auto text = [&](const std::vector<ServerAddress>& servers) {
      return own ? OwnText(Find(servers, id)) : AddressText(Find(servers, id));
    };
    const std::string now = text(before.servers);
    const std::string wanted = text(own ? after.servers : members);
    if (now != wanted) {
      changes->push_back(
          {"servers", absl::StrCat("server ", id), now, wanted, !own});
    }
  }
}

void AddOptions(const Config& before, const Config& after,
                std::vector<ConfigChange>* changes) {
  std::set<std::string> names;
  for (const Config* const config : {&before, &after})
    for (const auto& options : config->transport_options)
      names.insert(options.first);
  for (const std::string& name : names) {
    std::string now = OptionsText(before, name);
    std::string wanted = OptionsText(after, name);
    if (now != wanted)
      changes->push_back(
          {name, name, std::move(now), std::move(wanted), false});
  }
}

struct Copy {
  void operator()(const TextKey& key) const {
    to->*key.field = from.*key.field;
  }
  void operator()(const SizeKey& key) const {
    to->*key.field = from.*key.field;
  }
  void operator()(const TimeKey& key) const {
    to->*key.field = from.*key.field;
  }
  void operator()(const FlagKey& key) const {
    to->*key.field = from.*key.field;
  }
  void operator()(const WordKey& key) const { key.set(key.get(from), to); }
  void operator()(const FormKey&) const {}

  const Config& from;
  Config* to;
};

}  // namespace

std::string ToString(const ConfigChange& change) {
  return absl::StrCat(change.what, ": ", change.before, " -> ", change.after);
}

std::vector<ConfigChange> ChangesOf(const Config& before, const Config& after,
                                    int self_id) {
  std::vector<ConfigChange> changes;
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.name == absl::string_view("servers"))
      AddServers(before, after, self_id, &changes);
    std::string now = TextOf(before, key);
    std::string wanted = TextOf(after, key);
    if (now == wanted) continue;
    changes.push_back(
        {key.name, key.name, std::move(now), std::move(wanted), key.live});
  }
  AddOptions(before, after, &changes);
  return changes;
}

absl::Status CheckLive(const std::vector<ConfigChange>& changes,
                       const Config& after) {
  std::vector<std::string> texts;
  for (const ConfigChange& change : changes) {
    if (change.live) continue;
    texts.push_back(absl::StrCat(
        PlaceOf(after, change.key),
        change.what == change.key ? "" : absl::StrCat(", ", change.what),
        ": found ", change.after, ", and the server runs with ",
        change.before));
  }
  if (texts.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      absl::StrJoin(texts, "; "),
      "; a running server cannot change that, so nothing was "
      "changed: restart it with the new config, or take that back"));
}

std::vector<ServerAddress> MembersOf(const Config& before,
                                     const Config& after) {
  std::vector<ServerAddress> members = after.servers;
  for (ServerAddress& member : members) {
    const ServerAddress* const known = Find(before.servers, member.id);
    if (known != nullptr && AsksForAnyPort(member.address))
      member.address = known->address;
  }
  return members;
}

void CopyLiveKeys(const Config& from, Config* to) {
  for (const ConfigKey& key : ConfigKeys())
    if (key.live) std::visit(Copy{from, to}, key.value);
  to->security.identity = from.security.identity;
  to->security.peers = from.security.peers;
  to->security.peer_folders = from.security.peer_folders;
}

}  // namespace cluster::internal
