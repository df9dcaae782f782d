// keygen: the key files of all servers of a config.
//
//   bazel run //tools:keygen -- --config=configs/secure.json --out=keys

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster/config.h"
#include "programs/flags.h"
#include "programs/keygen/keys.h"

ABSL_FLAG(std::string, config, "", "the cluster's config file");
ABSL_FLAG(std::string, out, "", "the folder to make the keys in");
ABSL_FLAG(int, days, 365, "how long the certificates (TLS) are valid");
ABSL_FLAG(std::vector<std::string>, ids, {},
          "only these servers' keys, as in --ids=1,3; default: all");
ABSL_FLAG(bool, force, false, "replace keys that are there");

namespace cluster {
namespace {

constexpr int kDaysMax = 36500;

constexpr char kUsage[] =
    "Makes the key files of a config's servers, for zmq and for nng.\n\n"
    "  bazel run //tools:keygen -- --config=FILE --out=DIR [flags]\n\n"
    "  --config=FILE  the cluster's config file\n"
    "  --out=DIR      the folder to make the keys in\n"
    "  --ids=1,3      only these servers' keys; default: all\n"
    "  --days=N       how long the TLS certificates are valid; default: 365\n"
    "  --force        replace keys that are there\n"
    "  --version      print the library's version\n";

int FailUsage(const std::string& text) {
  return Fail("keygen", absl::InvalidArgumentError(text), kExitUsage);
}

// `bazel run` starts a program in another folder than the user's.
std::string FromUsersFolder(const std::string& path) {
  const char* const folder = std::getenv("BUILD_WORKING_DIRECTORY");
  return folder == nullptr || path.empty() || path[0] == '/'
             ? path
             : absl::StrCat(folder, "/", path);
}

// The servers of the config that --ids names, or all.
absl::StatusOr<std::vector<int>> ChosenIds(const Config& config) {
  std::vector<int> ids;
  std::vector<std::string> chosen = absl::GetFlag(FLAGS_ids);
  std::vector<std::string> known;
  for (const ServerAddress& server : config.servers) {
    const std::string id = absl::StrCat(server.id);
    known.push_back(id);
    const auto found = std::find(chosen.begin(), chosen.end(), id);
    if (absl::GetFlag(FLAGS_ids).empty() || found != chosen.end())
      ids.push_back(server.id);
    if (found != chosen.end()) chosen.erase(found);
  }
  if (chosen.empty()) return ids;
  return absl::InvalidArgumentError(
      absl::StrCat("--ids: the config has no server ", chosen[0],
                   "; known: ", absl::StrJoin(known, ", ")));
}

void PrintWhatToCopy(const KeyRequest& request) {
  std::cout << "Made the keys of cluster \"" << request.cluster << "\" in "
            << request.folder << ", certificates valid for "
            << request.validity_days << " days.\n\nCopy, by a way that nobody "
            << "else reads:\n";
  for (int id : request.server_ids) {
    std::cout << "  " << request.folder << "/" << id << "  to server " << id
              << " only (private: mode 0700, its "
              << "files 0600)\n";
  }
  std::cout << "  " << request.folder << "/public  to every server\n\n"
            << "and say in every server's config, relative to its own folder:\n"
            << "  \"security\": {\"mode\": \"mutual\", \"identity\": \""
            << "keys/{id}\", \"peers\": \"keys/public\"}\n\n"
            << "Then delete the private folders here. Running servers take new "
            << "files up by ReloadSecurity (SIGHUP to a node).\n";
}

int Main(int argc, char** argv) {
  const absl::StatusOr<std::vector<std::string>> rest =
      ReadCommandLine(argc, argv, kUsage);
  if (!rest.ok()) return Fail("keygen", rest.status(), kExitUsage);
  const std::string file = absl::GetFlag(FLAGS_config);
  KeyRequest request;
  request.folder = FromUsersFolder(absl::GetFlag(FLAGS_out));
  request.validity_days = absl::GetFlag(FLAGS_days);
  request.replace = absl::GetFlag(FLAGS_force);
  if (!rest->empty() || file.empty() || request.folder.empty())
    return FailUsage("want --config=FILE and --out=DIR; see --help");
  if (request.validity_days < 1 || request.validity_days > kDaysMax)
    return FailUsage(absl::StrCat("--days: want 1 to ", kDaysMax));
  const absl::StatusOr<Config> config = LoadConfig(FromUsersFolder(file));
  if (!config.ok()) return Fail("keygen", config.status(), kExitFailure);
  absl::StatusOr<std::vector<int>> ids = ChosenIds(*config);
  if (!ids.ok()) return Fail("keygen", ids.status(), kExitUsage);
  request.cluster = config->cluster;
  request.server_ids = *std::move(ids);
  const absl::Status status = MakeKeys(request);
  if (absl::IsAlreadyExists(status)) {
    return Fail("keygen",
                absl::AlreadyExistsError(
                    absl::StrCat(status.message(), "; --force replaces it")),
                kExitFailure);
  }
  if (!status.ok()) return Fail("keygen", status, kExitFailure);
  PrintWhatToCopy(request);
  return 0;
}

}  // namespace
}  // namespace cluster

int main(int argc, char** argv) { return cluster::Main(argc, argv); }
