// node: one server of a cluster in this terminal.
//
//   bazel run //cluster:node -- 1

#include <poll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cluster/admin/admin_server.h"
#include "cluster/config/changes.h"
#include "cluster/config/check.h"
#include "cluster/config/keys.h"
#include "cluster/server.h"
#include "cluster/transport/address.h"
#include "programs/line_editor.h"
#include "programs/line_reader.h"
#include "programs/log.h"
#include "programs/node_command.h"
#include "programs/output.h"
#include "programs/printable.h"
#include "programs/program_config.h"
#include "programs/run_program.h"
#include "programs/signals.h"

ABSL_FLAG(std::string, admin, "", "instead of the config's servers.admin");
ABSL_FLAG(std::string, admin_token_file, "",
          "instead of the config's admin.token_file");
ABSL_FLAG(bool, keys, false, "list the keys of the config");
ABSL_FLAG(bool, no_console, false, "take no commands; run until a signal");

namespace cluster {
namespace {

// How long a line may wait for room in a peer's queue.
constexpr absl::Duration kSendWait = absl::Seconds(5);
// How long peers have to take the typed envelopes after the end of the input.
constexpr absl::Duration kFlushWait = absl::Seconds(5);
// How soon a signal ends that wait.
constexpr absl::Duration kFlushStep = absl::Milliseconds(50);
// How long that wait goes without a word.
constexpr absl::Duration kSilence = absl::Seconds(1);

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
  // The server starts within Run, and so does its admin server if it has one.
  Node(Server* server, const Config& config, AdminOptions admin_options,
       Output* output, Signals* signals)
      : server_(server),
        admin_options_(std::move(admin_options)),
        reliable_(config.delivery == Delivery::kReliable),
        line_bytes_max_(config.payload_bytes_max + 4096),
        output_(output),
        signals_(signals) {
    server_->OnEnvelope([output](const EnvelopeView& envelope) {
      output->Line(ArrivalText(envelope));
    });
    server_->OnPeerEvent([output](const PeerEvent& event) {
      output->Line(absl::StrCat("-- ", Text(event)));
    });
  }

  // Runs until quit, the end of the input or a signal. Without a console it
  // reads no input. Prints only the address between starting to send and
  // starting to receive.
  absl::Status Run(bool console) {
    if (absl::Status status = SendMessage(*server_); !status.ok())
      return status;
    output_->Line(
        absl::StrCat("server ", server_->Pid(), " at ", server_->Address()));
    if (absl::Status status = ReceiveMessage(*server_); !status.ok())
      return status;
    if (absl::Status status = StartAdmin(); !status.ok()) return status;
    if (console) {
      ReadCommands();
    } else {
      while (Wait(-1)) {
      }
    }
    absl::Status status = output_->status();
    if (status.ok()) status = Flush();
    output_->Abandon();
    return status;
  }

 private:
  absl::Status StartAdmin() {
    if (admin_options_.address.empty()) return absl::OkStatus();
    absl::StatusOr<std::unique_ptr<AdminServer>> admin =
        AdminServer::Start(*server_, admin_options_);
    if (!admin.ok()) return admin.status();
    admin_ = *std::move(admin);
    output_->Line(absl::StrCat("-- admin server at ", admin_->Address()));
    return absl::OkStatus();
  }

  void ReadCommands() {
    if (LineEditor::HasTerminal()) {
      editor_ = std::make_unique<LineEditor>(
          absl::StrCat(server_->Pid(), "> "), output_,
          [this] { return Wait(STDIN_FILENO); });
    }
    LineReader reader(STDIN_FILENO, line_bytes_max_);
    std::string line;
    bool any = false;
    while (NextLine(&reader, &line)) {
      any = true;
      if (reader.cut()) {
        Complain(absl::InvalidArgumentError("the line is too long"));
      } else if (!Execute(line)) {
        break;
      }
    }
    editor_.reset();
    if (!any && reader.ended())
      output_->Line("-- there is no input, so it ends; see --no_console");
  }

  // False: quit, for whatever reason.
  bool NextLine(LineReader* reader, std::string* line) {
    if (editor_ != nullptr) return editor_->Next(line);
    while (!reader->Next(line)) {
      if (reader->ended() || !Wait(STDIN_FILENO)) return false;
      reader->Fill();
    }
    return !signals_->Arrived();
  }

  // Waits until `input` is readable. False: it is to end, by a signal or
  // because nobody can read what it says. Applies the config again meanwhile.
  bool Wait(int input) {
    pollfd polled[] = {
        {input, POLLIN, 0},
        {signals_->descriptor(), POLLIN, 0},
        {output_->broken(), POLLIN, 0},
        {signals_->reload_descriptor(), POLLIN, 0},
        {editor_ != nullptr ? editor_->signals() : -1, POLLIN, 0}};
    while (true) {
      if (poll(polled, 5, -1) < 0) continue;  // EINTR
      if (polled[1].revents != 0 || polled[2].revents != 0) return false;
      if (polled[3].revents != 0) Reload();
      if (polled[4].revents != 0) editor_->TakeSignals();
      if (polled[0].revents != 0) return true;
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
        Complain(Add(command->pids[0], command->address));
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

  absl::Status Add(int peer, const std::string& address) {
    absl::Status status = server_->AddPeer(peer, address);
    if (status.ok())
      output_->Line(absl::StrCat("-- peer ", peer, " added at ", address));
    return status;
  }

  void Reload() {
    signals_->TakeReload();
    const absl::StatusOr<Config> config = LoadProgramConfig();
    if (!config.ok()) return Complain(config.status());
    const Config before = server_->CurrentConfig();
    const absl::Status status = server_->ApplyConfig(*config);
    if (!status.ok()) return Complain(status);
    const std::vector<internal::ConfigChange> changes =
        internal::ChangesOf(before, *config, server_->Pid());
    for (const internal::ConfigChange& change : changes)
      output_->Line(absl::StrCat("-- ", Printable(ToString(change))));
    if (config->security.mode != SecurityConfig::Mode::kNone)
      output_->Line("-- keys and peers reloaded");
    ReloadAdmin();
    output_->Line(absl::StrCat("-- config applied, ", changes.size(),
                               changes.size() == 1 ? " change" : " changes"));
  }

  void ReloadAdmin() {
    if (admin_ == nullptr || admin_options_.token_file.empty()) return;
    const absl::Status token = admin_->ReloadToken();
    Complain(token);
    if (token.ok()) output_->Line("-- admin token reloaded");
  }

  void PrintPeers() {
    const ServerStats stats = server_->Stats();
    const std::map<int, std::string> peers = PeerAddresses();
    if (peers.empty()) output_->Line("   no other server");
    for (const auto& [peer, address] : peers) {
      const PeerStats* const known = stats.Peer(peer);
      const bool up = known != nullptr && known->up;
      output_->Line(absl::StrCat("   ", peer, up ? " up" : " down", " at ",
                                 Printable(address)));
    }
  }

  std::map<int, std::string> PeerAddresses() const {
    std::map<int, std::string> addresses;
    for (const ServerAddress& server : server_->CurrentConfig().servers)
      addresses[server.id] = server.address;
    addresses.erase(server_->Pid());
    return addresses;
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
    const absl::Time begin = absl::Now();
    bool told = false;
    while (reliable_ && !signals_->Arrived()) {
      absl::Status status = server_->Flush(kFlushStep);
      const absl::Duration waited = absl::Now() - begin;
      if (!absl::IsDeadlineExceeded(status) || waited >= kFlushWait)
        return status;
      // Not on the output, whose reader may be the one that does not read.
      if (!told && waited >= kSilence)
        std::fprintf(stderr, "node: %s\n", WaitText().c_str());
      told = told || waited >= kSilence;
    }
    return absl::OkStatus();
  }

  std::string WaitText() const {
    std::uint64_t envelopes = 0;
    std::vector<int> peers;
    const auto add = [&](int id, const PeerStats& stats) {
      if (stats.queued + stats.in_flight == 0) return;
      envelopes += stats.queued + stats.in_flight;
      peers.push_back(id);
    };
    const ServerStats stats = server_->Stats();
    for (const PeerStats& peer : stats.peers) add(peer.peer, peer);
    add(server_->Pid(), stats.own);
    return absl::StrCat("waits up to ", absl::FormatDuration(kFlushWait),
                        " for acknowledgements of ", envelopes,
                        envelopes == 1 ? " envelope" : " envelopes",
                        " by: ", absl::StrJoin(peers, ", "),
                        "; Ctrl-C ends it");
  }

  Server* const server_;
  const AdminOptions admin_options_;
  std::unique_ptr<AdminServer> admin_;
  const bool reliable_;
  const std::size_t line_bytes_max_;
  Output* const output_;
  Signals* const signals_;
  std::unique_ptr<LineEditor> editor_;  // while commands come from a terminal
};

std::string Usage() {
  return absl::StrCat(
      "Runs one server of a cluster in this terminal.\n\n"
      "  $0 [flags] ID\n\n",
      ConfigFlagsHelp(),
      "  --admin=ADDRESS    show its state over HTTP there, as the config's "
      "servers.admin:\n"
      "                     127.0.0.1:9101, or ipc:///path\n"
      "  --admin_token_file=FILE  the token that clients need there\n"
      "  --no_console       take no commands, and run until a signal\n",
      LogFlagsHelp(),
      "  --keys             list the keys of the config\n"
      "\nSIGHUP makes it read its config and keys again, and apply them. An "
      "envelope that is\nnot acknowledged at the end of the input is an "
      "error.\n"
      "\nLines it takes:\n",
      kNodeHelp, "\n");
}

absl::Status CheckMember(int id, const Config& config) {
  std::vector<int> known;
  for (const ServerAddress& server : config.servers) {
    if (server.id == id) return absl::OkStatus();
    known.push_back(server.id);
  }
  return UsageError(absl::StrCat("no server has id ", id, " in ", config.origin,
                                 "; known: ", absl::StrJoin(known, ", ")));
}

// Of server `id`; no address: it has no admin server.
AdminOptions AdminOptionsOf(int id, const Config& config) {
  AdminOptions options;
  for (const ServerAddress& server : config.servers) {
    if (server.id == id) options.address = server.admin;
  }
  const AdminConfig files = internal::ResolveAdmin(config, id);
  options.token_file = files.token_file;
  options.certificate_file = files.certificate;
  options.key_file = files.key;
  // The name under which clients know it, wherever it listens.
  const absl::StatusOr<Address> known = ParseAddress(options.address);
  if (known.ok() && known->is_name()) options.hosts.push_back(known->host);
  if (!absl::GetFlag(FLAGS_admin).empty())
    options.address = absl::GetFlag(FLAGS_admin);
  if (!absl::GetFlag(FLAGS_admin_token_file).empty())
    options.token_file = UsersPath(absl::GetFlag(FLAGS_admin_token_file));
  return options;
}

absl::Status RunNode(const std::vector<std::string>& arguments) {
  if (absl::GetFlag(FLAGS_keys)) {
    Print(internal::ListConfigKeys());
    return absl::OkStatus();
  }
  int id = 0;
  if (arguments.size() != 1 || !absl::SimpleAtoi(arguments[0], &id))
    return UsageError("want one server id: node [flags] ID; see --help");
  const absl::StatusOr<Config> config = LoadProgramConfig();
  if (!config.ok()) return config.status();
  if (absl::Status status = CheckMember(id, *config); !status.ok())
    return status;
  Signals signals(Hangup::kReloads);
  Output output(STDOUT_FILENO, signals.descriptor());
  absl::StatusOr<std::unique_ptr<Server>> server = NewServer(id, *config);
  if (!server.ok()) return server.status();
  if (absl::Status log = SetLogFromFlags(server->get()); !log.ok()) return log;
  Node node(server->get(), *config, AdminOptionsOf(id, *config), &output,
            &signals);
  const absl::Status status = node.Run(!absl::GetFlag(FLAGS_no_console));
  signals.Release();
  (*server)->Stop();
  return status;
}

}  // namespace
}  // namespace cluster

int main(int argc, char** argv) {
  return cluster::RunProgram(cluster::Usage(), &cluster::RunNode, argc, argv);
}
