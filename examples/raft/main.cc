// raft: a replicated map on three or five processes, with a prompt.
//
//   bazel run //examples/raft -- --servers=5 --transport=tcp

#include <stdlib.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/registry.h"
#include "cluster/transport/transport_facts.h"
#include "examples/raft/node.h"
#include "examples/raft/prompt.h"
#include "examples/raft/server_process.h"
#include "programs/run_program.h"
#include "programs/signals.h"

ABSL_FLAG(std::int64_t, servers, 3, "how many servers");
ABSL_FLAG(std::string, transport, cluster::kDefaultTransport, "of the servers");
ABSL_FLAG(std::string, folder, "", "of the journals");
ABSL_FLAG(std::int64_t, tick_ms, 10, "an election timeout is 15 to 30 ticks");
ABSL_FLAG(int, server_id, -1, "be this server (the program starts itself so)");

namespace raft {
namespace {

constexpr std::int64_t kServersMax = 9;
constexpr std::int64_t kTickMsMax = 1000;

std::string Usage() {
  return absl::StrCat(
      "Runs the servers of a replicated map, each in a process of its own, "
      "with\n"
      "Raft among them, and lets you try them.\n\n"
      "  $0 [flags]\n\n"
      "  --servers=N        how many, 1 to ",
      kServersMax,
      " (3)\n"
      "  --transport=NAME   ",
      cluster::TransportsThat(&cluster::TransportFacts::one_process_only,
                              false),
      " (", cluster::kDefaultTransport,
      ")\n"
      "  --folder=FOLDER    keep the journals there, and go on with them; by "
      "default\n"
      "                     they are in /tmp and go with the program\n"
      "  --tick_ms=N        an election begins after 15 to 30 ticks without a\n"
      "                     leader (10)\n"
      "\nLines it takes:\n",
      kPromptHelp, "\n");
}

NodeConfig MakeNodeConfig(int id) {
  NodeConfig config;
  config.cluster.cluster = "raft";
  config.cluster.transport = absl::GetFlag(FLAGS_transport);
  for (int server = 1; server <= absl::GetFlag(FLAGS_servers); ++server)
    config.cluster.servers.push_back({server, "127.0.0.1:0"});
  // Raft itself repeats what a dead process did not take.
  config.cluster.on_peer_restart = cluster::OnPeerRestart::kDrop;
  config.cluster.heartbeat = absl::Milliseconds(100);
  config.cluster.peer_timeout = absl::Milliseconds(500);
  config.replica.id = id;
  config.tick = absl::Milliseconds(absl::GetFlag(FLAGS_tick_ms));
  config.folder = absl::StrCat(absl::GetFlag(FLAGS_folder), "/", id);
  return config;
}

// A folder that the destructor removes.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    char path[] = "/tmp/raft_XXXXXX";
    if (mkdtemp(path) != nullptr) path_ = path;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

absl::Status RunPrompt(const std::string& folder) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return absl::ErrnoToStatus(errno, folder);
  cluster::Signals signals;
  Prompt prompt(
      static_cast<int>(absl::GetFlag(FLAGS_servers)),
      {"raft", absl::StrCat("--servers=", absl::GetFlag(FLAGS_servers)),
       absl::StrCat("--transport=", absl::GetFlag(FLAGS_transport)),
       absl::StrCat("--tick_ms=", absl::GetFlag(FLAGS_tick_ms)),
       absl::StrCat("--folder=", folder)},
      &signals);
  return prompt.Run();
}

absl::Status Run(const std::vector<std::string>& arguments) {
  if (!arguments.empty()) {
    return cluster::UsageError(
        absl::StrCat("want no argument, found '", arguments[0], "'"));
  }
  absl::Status status = cluster::CheckFlag(
      "servers", absl::GetFlag(FLAGS_servers), 1, kServersMax);
  status.Update(cluster::CheckFlag("tick_ms", absl::GetFlag(FLAGS_tick_ms), 1,
                                   kTickMsMax));
  if (!status.ok()) return status;
  const std::string transport = absl::GetFlag(FLAGS_transport);
  const cluster::TransportFacts* const facts =
      cluster::FindTransportFacts(transport);
  status = cluster::FindTransport(transport).status();
  if (!status.ok() || facts == nullptr || facts->one_process_only) {
    return cluster::UsageError(
        absl::StrCat("--transport=", transport, ": want ",
                     cluster::TransportsThat(
                         &cluster::TransportFacts::one_process_only, false)));
  }
  if (const int id = absl::GetFlag(FLAGS_server_id); id >= 0) {
    RunServerProcess(MakeNodeConfig(id));
    return absl::OkStatus();
  }
  if (const std::string folder = absl::GetFlag(FLAGS_folder); !folder.empty())
    return RunPrompt(cluster::UsersPath(folder));
  const TemporaryFolder folder;
  if (folder.path().empty())
    return absl::UnavailableError("cannot make a folder in /tmp");
  return RunPrompt(folder.path());
}

}  // namespace
}  // namespace raft

int main(int argc, char** argv) {
  return cluster::RunProgram(raft::Usage(), &raft::Run, argc, argv);
}
