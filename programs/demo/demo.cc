// demo: runs the four scenarios on a whole cluster on this machine. Every
// server is a process of its own.
//
//   bazel run //cluster:demo -- --transport=nng

#include <stdlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "cluster/transport/address.h"
#include "programs/demo/demo_run.h"
#include "programs/demo/demo_server.h"
#include "programs/program_config.h"
#include "programs/run_program.h"
#include "programs/signals.h"

ABSL_FLAG(std::int64_t, count, 20000, "rounds of each scenario");
ABSL_FLAG(std::int64_t, payload_bytes, 64, "bytes of each payload");
ABSL_FLAG(bool, keep_ports, false, "listen on the config's own addresses");
ABSL_FLAG(std::int64_t, standstill_ms, 20000,
          "give up when nothing has moved for so long");
ABSL_FLAG(int, server_id, -1, "be this server (the demo starts itself so)");
ABSL_FLAG(std::string, socket_folder, "", "where that server's sockets are");

namespace cluster {
namespace demo {
namespace {

constexpr char kUsage[] =
    "Starts every server of a cluster as a process of its own, runs four\n"
    "scenarios over real sockets and says what arrived: unicast (each to each\n"
    "other), multicast (each to all others at once), mixed (both), and cyclic\n"
    "(each to the next by id).\n\n"
    "  $0 [flags]\n\n";

constexpr char kMoreFlags[] =
    "  --count=N          rounds of each scenario (20000)\n"
    "  --payload_bytes=N  size of each payload, from 24 (64)\n"
    "  --keep_ports       listen on the config's own addresses, not on free "
    "ones\n"
    "  --standstill_ms=N  give up when nothing moves for so long (20000)\n";

constexpr std::int64_t kCountMax = 1000000000;
constexpr std::int64_t kStandstillMsMax = 3600 * 1000;

// Lets the system choose free ports, and puts Unix sockets into `folder`.
absl::Status UseFreeAddresses(const std::string& folder, Config* config) {
  for (ServerAddress& server : config->servers) {
    absl::StatusOr<Address> address = ParseAddress(server.listening());
    if (!address.ok()) return address.status();
    if (address->kind == Address::Kind::kIpc) {
      address->path = absl::StrCat(folder, "/", server.id, ".sock");
    } else {
      address->port = 0;
    }
    server = {server.id, ToString(*address)};
  }
  return absl::OkStatus();
}

// A folder that the destructor removes. Its name is short, since the path of a
// Unix socket is bounded.
class SocketFolder {
 public:
  SocketFolder() {
    char path[] = "/tmp/cluster_demo_XXXXXX";
    if (mkdtemp(path) != nullptr) path_ = path;
  }
  ~SocketFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<std::string> ServerArguments(const Config& config,
                                         const std::string& folder) {
  return {
      "demo",
      absl::StrCat("--config=",
                   std::filesystem::absolute(ConfigFile()).string()),
      absl::StrCat("--transport=", config.transport),
      absl::StrCat("--codec=", config.codec),
      absl::StrCat("--count=", absl::GetFlag(FLAGS_count)),
      absl::StrCat("--payload_bytes=", absl::GetFlag(FLAGS_payload_bytes)),
      absl::StrCat("--keep_ports=", absl::GetFlag(FLAGS_keep_ports)),
      absl::StrCat("--socket_folder=", folder),
  };
}

// Prints the table. Returns whether all is right.
bool PrintResults(const std::vector<ScenarioResult>& results) {
  bool right = true;
  absl::PrintF("\n%-10s %10s %10s %6s %11s %13s %12s\n", "scenario", "sent",
               "delivered", "lost", "duplicated", "out of order",
               "envelopes/s");
  for (const Scenario& scenario : Scenarios()) {
    const ScenarioResult& result = results[scenario.index];
    const Tally& tally = result.tally;
    right = right && result.run && tally.sent == result.expected &&
            tally.delivered == result.expected && tally.duplicated == 0 &&
            tally.out_of_order == 0 && tally.foreign == 0;
    if (!result.run) {
      absl::PrintF("%-10s not run\n", scenario.name);
      continue;
    }
    const double rate = static_cast<double>(tally.delivered) /
                        std::max(absl::ToDoubleSeconds(result.took), 1e-6);
    absl::PrintF("%-10s %10d %10d %6d %11d %13d %12.0f\n", scenario.name,
                 tally.sent, tally.delivered, tally.lost(), tally.duplicated,
                 tally.out_of_order, rate);
    if (tally.foreign > 0)
      absl::PrintF("           %d that nobody sent\n", tally.foreign);
  }
  return right;
}

absl::Status RunCluster(const Config& config) {
  Signals signals;
  SocketFolder folder;
  if (folder.path().empty())
    return absl::UnavailableError("cannot make a folder in /tmp");
  std::vector<int> ids;
  for (const ServerAddress& server : config.servers) ids.push_back(server.id);
  std::sort(ids.begin(), ids.end());
  absl::PrintF(
      "%d servers: %s, %s codec, %s\n", ids.size(), config.transport,
      config.codec,
      config.delivery == Delivery::kReliable ? "reliable" : "best effort");
  DemoRun run(ids, ServerArguments(config, folder.path()),
              static_cast<std::uint64_t>(absl::GetFlag(FLAGS_count)),
              absl::Milliseconds(absl::GetFlag(FLAGS_standstill_ms)));
  absl::Status status = run.Run(signals.descriptor());
  const bool right = PrintResults(run.results());
  if (!status.ok()) return status;
  if (!right)
    return absl::DataLossError("not every envelope arrived once and in order");
  std::puts("\nEvery envelope arrived once and in order.");
  return absl::OkStatus();
}

absl::Status RunDemo(const std::vector<std::string>& arguments) {
  absl::Status status;
  if (!arguments.empty()) {
    status = UsageError(
        absl::StrCat("want no argument, found '", arguments[0], "'"));
  }
  status.Update(CheckFlag("count", absl::GetFlag(FLAGS_count), 1, kCountMax));
  status.Update(CheckFlag("standstill_ms", absl::GetFlag(FLAGS_standstill_ms),
                          1, kStandstillMsMax));
  if (!status.ok()) return status;

  absl::StatusOr<Config> config = LoadProgramConfig();
  if (!config.ok()) return config.status();
  status = CheckFlag("payload_bytes", absl::GetFlag(FLAGS_payload_bytes),
                     kPayloadBytesMin,
                     static_cast<std::int64_t>(config->payload_bytes_max));
  if (!status.ok()) return status;

  const int server_id = absl::GetFlag(FLAGS_server_id);
  if (server_id < 0) return RunCluster(*config);
  if (!absl::GetFlag(FLAGS_keep_ports)) {
    status = UseFreeAddresses(absl::GetFlag(FLAGS_socket_folder), &*config);
    if (!status.ok()) return status;
  }
  RunDemoServer(server_id, *config,
                {static_cast<std::uint64_t>(absl::GetFlag(FLAGS_count)),
                 static_cast<std::size_t>(absl::GetFlag(FLAGS_payload_bytes))});
  return absl::OkStatus();
}

}  // namespace
}  // namespace demo
}  // namespace cluster

int main(int argc, char** argv) {
  return cluster::RunProgram(
      absl::StrCat(cluster::demo::kUsage, cluster::ConfigFlagsHelp(),
                   cluster::demo::kMoreFlags),
      &cluster::demo::RunDemo, argc, argv);
}
