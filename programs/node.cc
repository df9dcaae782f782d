// node: one server of a cluster in this terminal.
//
//   bazel run //cluster:node -- 1

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "cluster/config/keys.h"
#include "cluster/server.h"
#include "programs/flags.h"
#include "programs/line_reader.h"
#include "programs/node_command.h"
#include "programs/output.h"
#include "programs/printable.h"
#include "programs/program_config.h"
#include "programs/signals.h"

ABSL_FLAG(bool, keys, false, "list the keys of the config");

namespace cluster {
namespace {

// How long a line may wait for room in a peer's queue.
constexpr absl::Duration kSendWait = absl::Seconds(5);
// How long peers have to take the typed envelopes after the end of the input.
constexpr absl::Duration kFlushWait = absl::Seconds(5);
// How soon a signal ends that wait.
constexpr absl::Duration kFlushStep = absl::Milliseconds(50);

// "<- 1 AppendEntriesRequest term 0: hello", and any unusual fields.
std::string ArrivalText(const EnvelopeView& envelope) {
  std::string text =
      absl::StrCat("<- ", envelope.sender_id, " ",
                   MsgTypeName(envelope.msg_type), " term ", envelope.term);
  if (envelope.voted) text.append(" voted");
  if (envelope.lane != Lane::kNormal)
    absl::StrAppend(&text, " ", LaneName(envelope.lane));
  return absl::StrCat(text, ": ", Printable(envelope.payload));
}

template <typename T>
std::string Text(const T& value) {
  std::ostringstream out;
  out << value;
  return Printable(out.str());
}

class Node {
 public:
  Node(Server* server, Output* output, Signals* signals, bool reliable)
      : server_(server),
        output_(output),
        signals_(signals),
        reliable_(reliable) {
    server_->OnEnvelope([output](const EnvelopeView& envelope) {
      output->Line(ArrivalText(envelope));
    });
    server_->OnPeerEvent([output](const PeerEvent& event) {
      output->Line(absl::StrCat("-- ", Text(event)));
    });
  }

  // Runs commands until quit, the end of the input or a signal. Prints only the
  // address between starting to send and starting to receive.
  absl::Status Run(std::size_t line_bytes_max) {
    if (absl::Status status = SendMessage(*server_); !status.ok())
      return status;
    output_->Line(
        absl::StrCat("server ", server_->Pid(), " at ", server_->Address()));
    if (absl::Status status = ReceiveMessage(*server_); !status.ok())
      return status;
    output_->Prompt();
    ReadCommands(line_bytes_max);
    output_->HidePrompt();
    const absl::Status flushed = Flush();
    output_->Abandon();
    Complain(flushed);
    return absl::OkStatus();
  }

 private:
  void ReadCommands(std::size_t line_bytes_max) {
    LineReader input(STDIN_FILENO, line_bytes_max);
    pollfd polled[] = {{STDIN_FILENO, POLLIN, 0},
                       {signals_->descriptor(), POLLIN, 0},
                       {output_->broken(), POLLIN, 0},
                       {signals_->reload_descriptor(), POLLIN, 0}};
    while (!input.ended()) {
      if (poll(polled, 4, -1) < 0) continue;  // EINTR
      if (polled[1].revents != 0 || polled[2].revents != 0) return;
      if (polled[3].revents != 0) Reload();
      if (polled[0].revents == 0) continue;
      input.Fill();
      std::string line;
      while (input.Next(&line)) {
        if (signals_->Arrived()) return;
        if (input.cut()) {
          Complain(absl::InvalidArgumentError("the line is too long"));
        } else if (!Execute(line)) {
          return;
        }
      }
      output_->Prompt();
    }
  }

  // false: quit.
  bool Execute(const std::string& line) {
    absl::StatusOr<NodeCommand> command = ParseNodeCommand(line);
    if (!command.ok()) {
      Complain(command.status());
      return true;
    }
    switch (command->kind) {
      case NodeCommand::kNothing:
        break;
      case NodeCommand::kSend:
        Complain(Send(*command));
        break;
      case NodeCommand::kAdd:
        Complain(server_->AddPeer(command->pids[0], command->address));
        break;
      case NodeCommand::kRemove:
        Complain(server_->RemovePeer(command->pids[0]));
        break;
      case NodeCommand::kPeers:
        PrintPeers();
        break;
      case NodeCommand::kStats:
        PrintStats();
        break;
      case NodeCommand::kHelp:
        output_->Line(kNodeHelp);
        break;
      case NodeCommand::kQuit:
        return false;
    }
    return true;
  }

  absl::Status Send(NodeCommand& command) {
    if (command.pids.size() > 1) {
      return server_->Multicast(command.pids, command.envelope, kSendWait)
          .status;
    }
    command.envelope.pid = command.pids.empty() ? kBroadcast : command.pids[0];
    return server_->Send(command.envelope, kSendWait);
  }

  void Reload() {
    signals_->TakeReload();
    const absl::Status status = server_->ReloadSecurity();
    Complain(status);
    if (status.ok()) output_->Line("-- keys and peers reloaded");
  }

  void PrintPeers() {
    const ServerStats stats = server_->Stats();
    const std::vector<int> peers = server_->Peers();
    if (peers.empty()) output_->Line("   no other server");
    for (int peer : peers) {
      const PeerStats* const known = stats.Peer(peer);
      output_->Line(absl::StrCat(
          "   ", peer, known != nullptr && known->up ? " up" : " down"));
    }
  }

  void PrintStats() {
    const ServerStats stats = server_->Stats();
    for (const PeerStats& peer : stats.peers)
      output_->Line(absl::StrCat("   ", Text(peer)));
    output_->Line(absl::StrCat("   ", stats.delivered, " delivered here"));
    for (int i = 0; i < kRefusalReasons; ++i) {
      const auto reason = static_cast<RefusalReason>(i);
      if (stats.Refused(reason) == 0) continue;
      output_->Line(absl::StrCat("   ", stats.Refused(reason), " turned away (",
                                 RefusalReasonName(reason), ")"));
    }
  }

  void Complain(const absl::Status& status) {
    if (!status.ok())
      output_->Line(absl::StrCat("!! ", Printable(status.message())));
  }

  // Waits until the peers have taken the typed envelopes, or for a signal.
  absl::Status Flush() {
    const absl::Time deadline = absl::Now() + kFlushWait;
    absl::Status status;
    while (reliable_ && !signals_->Arrived()) {
      status = server_->Flush(kFlushStep);
      if (!absl::IsDeadlineExceeded(status) || absl::Now() >= deadline) break;
    }
    return status;
  }

  Server* const server_;
  Output* const output_;
  Signals* const signals_;
  const bool reliable_;
};

constexpr char kUsage[] =
    "Runs one server of a cluster in this terminal.\n\n"
    "  node [flags] ID    (bazel run //cluster:node -- 1)\n\n";

absl::Status RunNode(int id, Config config) {
  const bool reliable = config.delivery == Delivery::kReliable;
  const std::size_t line_bytes_max = config.payload_bytes_max + 4096;
  // Without keys to reload, SIGHUP means that the terminal has closed.
  Signals signals(config.security.mode == SecurityConfig::Mode::kNone
                      ? Hangup::kEnds
                      : Hangup::kReloads);
  const bool terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
  Output output(STDOUT_FILENO, terminal ? absl::StrCat(id, "> ") : "",
                signals.descriptor());
  absl::StatusOr<std::unique_ptr<Server>> server =
      NewServer(id, std::move(config));
  if (!server.ok()) return server.status();
  Node node(server->get(), &output, &signals, reliable);
  absl::Status status = node.Run(line_bytes_max);
  signals.Release();
  (*server)->Stop();
  return status;
}

int Main(int argc, char** argv) {
  const absl::StatusOr<std::vector<std::string>> arguments = ReadCommandLine(
      argc, argv,
      absl::StrCat(kUsage, ConfigFlagsHelp(),
                   "  --keys             list the keys of the config\n"
                   "\nLines it takes:\n",
                   kNodeHelp, "\n")
          .c_str());
  if (!arguments.ok()) return Fail("node", arguments.status(), kExitUsage);
  if (absl::GetFlag(FLAGS_keys)) {
    std::fputs(cluster::internal::ListConfigKeys().c_str(), stdout);
    return 0;
  }
  int id = 0;
  if (arguments->size() != 1 || !absl::SimpleAtoi((*arguments)[0], &id)) {
    return Fail("node",
                absl::InvalidArgumentError(
                    "want one server id: node [flags] ID; see --help"),
                kExitUsage);
  }
  absl::StatusOr<Config> config = LoadProgramConfig();
  if (!config.ok()) return Fail("node", config.status(), kExitFailure);
  const absl::Status status = RunNode(id, *std::move(config));
  return status.ok() ? 0 : Fail("node", status, kExitFailure);
}

}  // namespace
}  // namespace cluster

int main(int argc, char** argv) { return cluster::Main(argc, argv); }
