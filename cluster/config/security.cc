// The security of a Config: the rule that plaintext stays on this machine, and
// the folders of key files.

#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cluster/config/check.h"
#include "cluster/config/positioned_json.h"
#include "cluster/envelope.h"
#include "cluster/transport/address.h"
#include "cluster/transport/transport_facts.h"

namespace cluster::internal {
namespace {

namespace fs = std::filesystem;

constexpr char kKeygen[] = "bazel run @cluster//tools:keygen";

// False for an address of another form, which only its own transport
// understands.
bool ReachedFromOutside(const std::string& text) {
  const absl::StatusOr<Address> address = ParseAddress(text);
  return address.ok() && address->kind == Address::Kind::kTcp &&
         !IsLoopback(address->host);
}

absl::Status CheckListeners(const Config& config, const ConfigPlaces& places) {
  const TransportFacts* const facts = FindTransportFacts(config.transport);
  if (config.security.mode != SecurityConfig::Mode::kNone ||
      config.allow_plaintext || (facts != nullptr && facts->one_process_only)) {
    return absl::OkStatus();
  }
  for (std::size_t i = 0; i < config.servers.size(); ++i) {
    const ServerAddress& server = config.servers[i];
    if (!ReachedFromOutside(server.listening())) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        places.Place(places.ListenerPath(config, i)), ": found ",
        QuotedExcerpt(server.listening()),
        ", which other machines can reach, and no security; want \"security\": "
        "{\"mode\": \"mutual\", ...} with keys that ",
        kKeygen,
        " makes, or \"allow_plaintext\": true where the network is trusted"));
  }
  return absl::OkStatus();
}

// A relative path starts at the folder of the config's file.
std::string FromOrigin(const Config& config, const std::string& path) {
  return (fs::path(config.origin).parent_path() / path).string();
}

std::string KeygenMakesIt(const Config& config) {
  return absl::StrCat("; to make it: ", kKeygen, " -- --config=",
                      config.origin.empty() ? "FILE" : config.origin,
                      " --out=FOLDER");
}

// The folder's subfolders that are named by an id, and nothing else in it.
absl::Status ListPeers(const Config& config, SecurityFiles* files) {
  const fs::path folder = FromOrigin(config, config.security.peers);
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (const absl::optional<int> id = ServerIdOf(name))
      files->peers[*id] = entry->path().string();
  }
  if (!error) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(
      PlaceOf(config, "security"), ".peers: cannot list the folder ",
      QuotedExcerpt(folder.string()), ": ", error.message(),
      KeygenMakesIt(config)));
}

}  // namespace

bool IsLoopback(const std::string& host) {
  if (host == "localhost") return true;
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1)
    return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6;
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 &&
         IN6_IS_ADDR_LOOPBACK(&v6);
}

absl::Status CheckSecurity(const Config& config, const ConfigPlaces& places) {
  const SecurityConfig& security = config.security;
  const bool has_folder = !security.peers.empty();
  const bool has_map = !security.peer_folders.empty();
  if (security.mode == SecurityConfig::Mode::kNone) {
    const bool has_files = !security.identity.empty() || has_folder || has_map;
    if (!has_files && security.reload == SecurityConfig::Reload::kOnRequest)
      return CheckListeners(config, places);
    return places.Error(
        "$.security",
        absl::StrCat("found ",
                     has_files ? "key files" : "\"reload\": \"on_change\"",
                     " with \"mode\": \"none\", want \"mode\": \"mutual\""));
  }
  if (security.identity.empty()) {
    return places.Error("$.security",
                        "found no \"identity\", want the folder of the own key "
                        "files, such as \"keys/{id}\"");
  }
  if (has_folder == has_map) {
    return places.Error("$.security",
                        "found no \"peers\", want the folder of the peers' "
                        "public files, such as \"keys/public\", or a map from "
                        "ids to folders");
  }
  if (has_map && security.peer_folders.begin()->first < 0) {
    return places.Error("$.security",
                        absl::StrCat("found \"peers\" with id ",
                                     security.peer_folders.begin()->first,
                                     ", want 0 to ", kServerIdMax));
  }
  if (config.allow_plaintext) {
    return places.Error("$.allow_plaintext",
                        "found true together with \"security\", want one of "
                        "the two");
  }
  const TransportFacts* const facts = FindTransportFacts(config.transport);
  if (facts != nullptr && !facts->can_be_secured) {
    return places.Error(
        "$.security",
        absl::StrCat("found with \"transport\": \"", facts->name,
                     "\", which has no security, want it with ",
                     TransportsThat(&TransportFacts::can_be_secured)));
  }
  return absl::OkStatus();
}

absl::optional<int> ServerIdOf(absl::string_view text) {
  int id = 0;
  if (!absl::SimpleAtoi(text, &id) || id < 0 || absl::StrCat(id) != text)
    return absl::nullopt;
  return id;
}

absl::StatusOr<SecurityFiles> ResolveSecurity(const Config& config, int id) {
  if (config.security.mode == SecurityConfig::Mode::kNone)
    return SecurityNotConfigured();
  SecurityFiles files;
  files.identity =
      FromOrigin(config, absl::StrReplaceAll(config.security.identity,
                                             {{"{id}", absl::StrCat(id)}}));
  for (const auto& [peer, folder] : config.security.peer_folders)
    files.peers[peer] = FromOrigin(config, folder);
  if (!config.security.peers.empty()) {
    absl::Status status = ListPeers(config, &files);
    if (!status.ok()) return status;
  }
  files.peers.erase(id);
  return files;
}

AdminConfig ResolveAdmin(const Config& config, int id) {
  const auto resolve = [&](const std::string& path) {
    return path.empty()
               ? path
               : FromOrigin(config, absl::StrReplaceAll(
                                        path, {{"{id}", absl::StrCat(id)}}));
  };
  return {resolve(config.admin.token_file), resolve(config.admin.certificate),
          resolve(config.admin.key)};
}

absl::Status AtKeyFile(const Config& config, const SecurityFiles& files,
                       const absl::Status& error) {
  const auto is_in = [&error](const std::string& folder) {
    return absl::StartsWith(error.message(), folder);
  };
  const bool own = is_in(files.identity);
  const bool of_peer =
      std::any_of(files.peers.begin(), files.peers.end(),
                  [&](const auto& peer) { return is_in(peer.second); });
  if (!own && !of_peer) return error;
  return absl::Status(
      error.code(),
      absl::StrCat(PlaceOf(config, "security"),
                   own ? ".identity: " : ".peers: ", error.message(),
                   absl::IsNotFound(error) ? KeygenMakesIt(config) : ""));
}

}  // namespace cluster::internal
