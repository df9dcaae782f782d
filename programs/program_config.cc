#include "programs/program_config.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster/codec/registry.h"
#include "cluster/transport/registry.h"
#include "cluster/transport/transport_facts.h"
#include "programs/run_program.h"

ABSL_FLAG(std::string, config, "", "the cluster's config file");
ABSL_FLAG(std::string, transport, "", "instead of the config's");
ABSL_FLAG(std::string, codec, "", "instead of the config's");

namespace cluster {
namespace {

constexpr char kDefaultConfig[] = "configs/cluster.json";

// This repository's folder among the runfiles: with a WORKSPACE, as the root
// module, as a dependency in Bazel 7, and in later Bazels.
constexpr const char* kRepositories[] = {"cluster", "_main", "cluster~",
                                         "cluster+"};

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string OwnPath() {
  char path[PATH_MAX];
  const ssize_t bytes = readlink("/proc/self/exe", path, sizeof(path));
  return bytes <= 0 ? "" : std::string(path, static_cast<std::size_t>(bytes));
}

// Overwrites a field of the config, and forgets its line in the file. `found`
// is the result of looking up the value.
absl::Status Override(const std::string& value, const char* key,
                      const absl::Status& found, Config* config,
                      std::string Config::*field) {
  if (value.empty()) return absl::OkStatus();
  if (!found.ok()) {
    return UsageError(
        absl::StrCat("--", key, "=", value, ": ", found.message()));
  }
  config->*field = value;
  config->lines.erase(key);
  return absl::OkStatus();
}

}  // namespace

std::string ConfigFlagsHelp() {
  return absl::StrCat(
      "  --config=FILE      the cluster's config (default: ", kDefaultConfig,
      ")\n"
      "  --transport=NAME   instead of the config's: ",
      TransportsThat(&TransportFacts::one_process_only, false),
      "\n"
      "  --codec=NAME       instead of the config's: ",
      absl::StrJoin(CodecNames(), " or "), "\n");
}

std::string ConfigFile() {
  const std::string file = absl::GetFlag(FLAGS_config);
  if (!file.empty()) return UsersPath(file);
  for (const std::string& runfiles :
       {Environment("RUNFILES_DIR"), absl::StrCat(OwnPath(), ".runfiles")}) {
    if (runfiles.empty()) continue;
    for (const char* const repository : kRepositories) {
      const std::string place =
          absl::StrCat(runfiles, "/", repository, "/", kDefaultConfig);
      if (access(place.c_str(), R_OK) == 0) return place;
    }
  }
  return kDefaultConfig;
}

absl::StatusOr<Config> LoadProgramConfig() {
  absl::StatusOr<Config> config = LoadConfig(ConfigFile());
  if (absl::IsNotFound(config.status()) &&
      absl::GetFlag(FLAGS_config).empty()) {
    return UsageError(absl::StrCat(config.status().message(),
                                   "; name the cluster's with --config=FILE"));
  }
  if (!config.ok()) return config;
  const std::string transport = absl::GetFlag(FLAGS_transport);
  const std::string codec = absl::GetFlag(FLAGS_codec);
  absl::Status flags =
      Override(transport, "transport", FindTransport(transport).status(),
               &*config, &Config::transport);
  flags.Update(Override(codec, "codec", FindCodec(codec).status(), &*config,
                        &Config::codec));
  if (!flags.ok()) return flags;
  // The one that the Go library's form implies is JSON's.
  if (config->codec != "json" && config->lines.count("json_dialect") == 0)
    config->json_dialect = JsonDialect::kCluster;
  const TransportFacts* const facts = FindTransportFacts(config->transport);
  if (facts != nullptr && facts->one_process_only && !transport.empty()) {
    return UsageError(
        absl::StrCat("--transport=", transport,
                     ": it joins servers of one process only; want ",
                     TransportsThat(&TransportFacts::one_process_only, false)));
  }
  if (facts != nullptr && facts->one_process_only) {
    return absl::InvalidArgumentError(
        absl::StrCat(PlaceOf(*config, "transport"), ": found \"", facts->name,
                     "\", which joins servers of one process only; want ",
                     TransportsThat(&TransportFacts::one_process_only, false),
                     " (--transport=", kDefaultTransport, ")"));
  }
  if (absl::Status status = ValidateConfig(*config); !status.ok())
    return status;
  return config;
}

}  // namespace cluster
