// keygen: the key files of all servers of a config.
//
//   bazel run //tools:keygen -- --config=configs/secure.json --out=keys

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster/config.h"
#include "programs/keygen/keys.h"
#include "programs/run_program.h"

ABSL_FLAG(std::string, config, "", "the cluster's config file");
ABSL_FLAG(std::string, out, "", "the folder to make the keys in");
ABSL_FLAG(int, days, 365, "how long the certificates (TLS) are valid");
ABSL_FLAG(std::vector<std::string>, ids, {"all"},
          "only these servers' keys, as in --ids=1,3; default: all");
ABSL_FLAG(bool, force, false, "replace keys that are there");

namespace cluster {
namespace {

namespace fs = std::filesystem;

constexpr int kDaysMax = 36500;

constexpr char kUsage[] =
    "Makes the key files of a config's servers, for zmq, nng and tcp.\n\n"
    "  $0 --config=FILE --out=DIR [flags]\n\n"
    "  --config=FILE  the cluster's config file\n"
    "  --out=DIR      the folder to make the keys in\n"
    "  --ids=1,3      only these servers' keys; default: all\n"
    "  --days=N       how long the TLS certificates are valid; default: 365\n"
    "  --force        replace keys that are there\n";

// The servers of the config that --ids names, or all.
absl::StatusOr<std::vector<int>> ChosenIds(const Config& config) {
  const std::vector<std::string> chosen = absl::GetFlag(FLAGS_ids);
  std::vector<int> ids;
  std::vector<std::string> known;
  for (const ServerAddress& server : config.servers) {
    ids.push_back(server.id);
    known.push_back(absl::StrCat(server.id));
  }
  if (chosen == std::vector<std::string>{"all"}) return ids;
  ids.clear();
  for (const std::string& text : chosen) {
    const auto found = std::find(known.begin(), known.end(), text);
    if (found == known.end()) {
      return UsageError(absl::StrCat("--ids: the config has no server ", text,
                                     "; known: ", absl::StrJoin(known, ", ")));
    }
    const int id =
        config.servers[static_cast<std::size_t>(found - known.begin())].id;
    if (std::find(ids.begin(), ids.end(), id) != ids.end()) {
      return UsageError(
          absl::StrCat("--ids: found ", id, " twice, want every server once"));
    }
    ids.push_back(id);
  }
  if (ids.empty()) return UsageError("--ids: want servers, as in --ids=1,3");
  return ids;
}

// The folder as a config's "security" names it: from the config's own folder,
// if it is below that.
std::string FromConfig(const std::string& config_file,
                       const std::string& folder) {
  const fs::path from = fs::absolute(config_file).parent_path();
  const fs::path absolute = fs::absolute(folder).lexically_normal();
  const fs::path relative =
      absolute.lexically_relative(from.lexically_normal());
  const bool below = !relative.empty() && *relative.begin() != "..";
  std::string text = (below ? relative : absolute).string();
  if (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

void PrintWhatToDo(const KeyRequest& request, const Config& config,
                   const std::string& config_file) {
  std::cout << "Made the keys of cluster \"" << request.cluster << "\" in "
            << request.folder << ", certificates valid for "
            << request.validity_days << " days.\n\nCopy, by a way that nobody "
            << "else reads:\n";
  for (int id : request.server_ids) {
    std::cout << "  " << request.folder << "/" << id << "  to server " << id
              << " only (private: mode 0700, its "
              << "files 0600)\n";
  }
  std::cout << "  " << request.folder << "/public  to every server\n\n";
  const std::string keys = FromConfig(config_file, request.folder);
  const std::string identity = absl::StrCat(keys, "/{id}");
  const std::string peers = absl::StrCat(keys, "/public");
  if (config.security.identity == identity && config.security.peers == peers) {
    std::cout << "The config names these folders already";
  } else {
    std::cout << "and say in every server's config"
              << (keys[0] == '/' ? "" : ", relative to its own folder")
              << ":\n  \"security\": {\"mode\": \"mutual\", \"identity\": \""
              << identity << "\", \"peers\": \"" << peers << "\"}";
  }
  std::cout
      << ".\n\nThen delete here the private folders of the servers that do "
      << "not run on this machine.\nRunning servers take new files up by "
      << "ReloadSecurity (SIGHUP to a node).\n";
}

absl::Status RunKeygen(const std::vector<std::string>& arguments) {
  const std::string file = UsersPath(absl::GetFlag(FLAGS_config));
  KeyRequest request;
  request.folder = UsersPath(absl::GetFlag(FLAGS_out));
  request.validity_days = absl::GetFlag(FLAGS_days);
  request.replace = absl::GetFlag(FLAGS_force);
  absl::Status status;
  if (!arguments.empty()) {
    status = UsageError(
        absl::StrCat("want no argument, found '", arguments[0], "'"));
  } else if (file.empty() || request.folder.empty()) {
    status = UsageError("want --config=FILE and --out=DIR; see --help");
  }
  status.Update(CheckFlag("days", request.validity_days, 1, kDaysMax));
  if (!status.ok()) return status;
  const absl::StatusOr<Config> config = LoadConfig(file);
  if (!config.ok()) return config.status();
  absl::StatusOr<std::vector<int>> ids = ChosenIds(*config);
  if (!ids.ok()) return ids.status();
  request.cluster = config->cluster;
  request.server_ids = *std::move(ids);
  status = MakeKeys(request);
  if (absl::IsAlreadyExists(status)) {
    return absl::AlreadyExistsError(
        absl::StrCat(status.message(), "; --force replaces it"));
  }
  if (status.ok()) PrintWhatToDo(request, *config, file);
  return status;
}

}  // namespace
}  // namespace cluster

int main(int argc, char** argv) {
  return cluster::RunProgram(cluster::kUsage, &cluster::RunKeygen, argc, argv);
}
