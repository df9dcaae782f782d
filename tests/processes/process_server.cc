// A server in a process of its own, for tests that kill, stop and starve it.
//
//   process_server ID LIFE JOURNAL CONFIG MODE
//
// CONFIG is the config's text. MODE is "handler" or "receive", which calls
// Receive only after a command. The process prints "ready" and obeys the lines
// that come in: see Commands. SIGPIPE keeps its default and would end it.

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cluster/base/check.h"
#include "cluster/base/mutex.h"
#include "cluster/config.h"
#include "cluster/server.h"
#include "programs/line_reader.h"
#include "programs/output.h"
#include "tests/harness/accounts.h"
#include "tests/processes/journal.h"
#include "tests/processes/numbered_sender.h"

namespace cluster::internal {
namespace {

constexpr std::size_t kLineBytesMax = 4096;

class ProcessServer {
 public:
  ProcessServer(std::unique_ptr<Server> server, std::uint64_t life,
                const std::string& journal, bool handler)
      : server_(std::move(server)),
        life_(life),
        journal_(journal),
        output_(STDOUT_FILENO, -1) {
    if (handler) {
      server_->OnEnvelope([this](const EnvelopeView& view) { Take(view); });
    }
    server_->OnPeerEvent([this](const PeerEvent& event) {
      Say(absl::StrCat("event ", PeerEventTypeName(event.type), " ", event.peer,
                       " ", event.unknown_fate, " ", event.resent));
    });
  }
  ~ProcessServer() {
    server_->Stop();
    if (reader_.joinable()) reader_.join();
  }

  void Run() {
    Say("ready");
    LineReader input(STDIN_FILENO, kLineBytesMax);
    while (!input.ended()) {
      input.Fill();
      std::string line;
      while (input.Next(&line)) Obey(absl::StrSplit(line, ' '));
    }
  }

 private:
  using Words = std::vector<std::string>;

  void Say(absl::string_view line) { output_.Line(line); }
  void Trouble(absl::string_view text) { Say(absl::StrCat("problem ", text)); }
  void Check(const char* what, const absl::Status& status) {
    if (!status.ok()) Trouble(absl::StrCat(what, ": ", status.message()));
  }
  static std::uint64_t Number(const std::string& word) {
    std::uint64_t number = 0;
    CLUSTER_CHECK(absl::SimpleAtoi(word, &number), word.c_str());
    return number;
  }

  void Obey(const Words& words) {
    const auto command = Commands().find(words[0]);
    CLUSTER_CHECK(command != Commands().end(), words[0].c_str());
    command->second(words);
  }

  const std::map<std::string, std::function<void(const Words&)>>& Commands() {
    static const std::map<std::string, std::function<void(const Words&)>>
        commands = {
            {"unshare", [this](const Words&) { LeaveNetwork(); }},
            {"start", [this](const Words&) { Start(); }},
            {"peer", [this](const Words& w) { AddPeer(w); }},
            {"try-peer", [this](const Words& w) { TryPeer(w); }},
            {"send", [this](const Words& w) { Send(Number(w[1]), w, 2); }},
            {"flood", [this](const Words& w) { Send(kEndless, w, 1); }},
            {"halt", [this](const Words&) { Halt(); }},
            {"mark", [this](const Words& w) { Mark(Number(w[1])); }},
            {"read", [this](const Words&) { StartReading(); }},
            {"flush", [this](const Words&) { Flush(); }},
            {"report", [this](const Words&) { Report(); }},
            {"files", [this](const Words& w) { LimitFiles(Number(w[1])); }},
            {"sigpipe", [](const Words&) { raise(SIGPIPE); }},
        };
    return commands;
  }

  // Moves the process into a network namespace of its own.
  void LeaveNetwork() {
    const bool left = unshare(CLONE_NEWNET) == 0;
    Say(left ? "unshared" : "refused");
  }

  void Start() {
    Check("Start", server_->Start());
    Say(absl::StrCat("address ", server_->Address()));
  }

  // peer ID ADDRESS; no error if it is a member already
  void AddPeer(const Words& words) {
    const absl::Status status =
        server_->AddPeer(static_cast<int>(Number(words[1])), words[2]);
    if (!absl::IsAlreadyExists(status)) Check("AddPeer", status);
    Say("added");
  }

  // The same, but ignores errors.
  void TryPeer(const Words& words) {
    server_->AddPeer(static_cast<int>(Number(words[1])), words[2])
        .IgnoreError();
    Say("tried");
  }

  // send COUNT BYTES PID... or flood BYTES PID..., with "all" for a broadcast
  void Send(std::uint64_t count, const Words& words, std::size_t bytes_at) {
    for (std::size_t i = bytes_at + 1; i < words.size(); ++i) {
      Sending sending;
      sending.pid =
          words[i] == "all" ? kBroadcast : static_cast<int>(Number(words[i]));
      sending.count = count;
      sending.payload_bytes = Number(words[bytes_at]);
      sending.life = life_;
      senders_.push_back(std::make_unique<NumberedSender>(
          server_.get(), &journal_, sending, [this] { Say("sent"); },
          [this](const std::string& text) { Trouble(text); }));
    }
  }

  void Halt() {
    senders_.clear();
    Say("halted");
  }

  void Take(const EnvelopeView& envelope) {
    Numbered numbered;
    const bool read = ReadNumberedPayload(envelope.payload, &numbered) &&
                      envelope.sender_id < kJournalIds;
    if (read) {
      TakenStream& stream =
          journal_->taken[static_cast<std::size_t>(envelope.sender_id)]
                         [numbered.life][envelope.pid == kBroadcast ? 1 : 0]
                         [static_cast<std::size_t>(envelope.lane)];
      if (stream.count == 0) {
        stream.first = numbered.number;
      } else if (numbered.number != stream.last + 1) {
        ++journal_->disorder;
      }
      stream.last = numbered.number;
      ++stream.count;
    } else {
      ++journal_->strange;
    }
    ++journal_->arrived;
    MutexLock lock(&mark_mutex_);
    SayMarkIfDue();
  }

  // Prints "mark" when `arrivals` have arrived in all.
  void Mark(std::uint64_t arrivals) {
    MutexLock lock(&mark_mutex_);
    mark_ = arrivals;
    SayMarkIfDue();
  }
  void SayMarkIfDue() {
    if (journal_->arrived < mark_) return;
    mark_ = kEndless;
    Say("mark");
  }

  void StartReading() {
    reader_ = std::thread([this] {
      while (true) {
        const absl::StatusOr<Envelope> envelope = server_->Receive();
        if (!envelope.ok()) return;
        Take(*envelope);
      }
    });
  }

  void Flush() {
    Check("Flush", server_->Flush(absl::Seconds(60)));
    Say("flushed");
  }

  void Report() {
    const ServerStats stats = server_->Stats();
    for (const std::string& problem : BalanceProblems(server_->Pid(), stats))
      Trouble(problem);
    for (const PeerStats& peer : stats.peers) {
      PeerFigures& figures =
          journal_->peers[static_cast<std::size_t>(peer.peer)];
      figures.accepted = peer.accepted;
      figures.acknowledged = peer.acknowledged;
      figures.queued = peer.queued;
      figures.in_flight = peer.in_flight;
      figures.dropped = DroppedSum(peer);
      figures.dropped_by_restart = peer.Dropped(DropReason::kPeerRestart);
      figures.sessions = peer.sessions;
      figures.queued_bytes = peer.queued_bytes;
      figures.unconsumed_bytes = peer.unconsumed_bytes;
    }
    journal_->inbox_bytes = stats.inbox_bytes;
    Say("reported");
  }

  void LimitFiles(std::uint64_t files) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = files;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) Trouble("setrlimit");
    Say("limited");
  }

  const std::unique_ptr<Server> server_;
  const std::uint64_t life_;
  Journal journal_;
  Output output_;
  Mutex mark_mutex_{LockRank::kApplication};
  std::uint64_t mark_ = kEndless;  // guarded by it
  std::thread reader_;
  std::vector<std::unique_ptr<NumberedSender>> senders_;
};

int Main(char** arguments) {
  std::signal(SIGPIPE, SIG_DFL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::uint64_t life = 0;
  int id = 0;
  CLUSTER_CHECK(absl::SimpleAtoi(arguments[1], &id), arguments[1]);
  CLUSTER_CHECK(absl::SimpleAtoi(arguments[2], &life), arguments[2]);
  const absl::StatusOr<Config> config = ParseConfig(arguments[4]);
  CLUSTER_CHECK(config.ok(), config.status().ToString().c_str());
  absl::StatusOr<std::unique_ptr<Server>> server = NewServer(id, *config);
  CLUSTER_CHECK(server.ok(), server.status().ToString().c_str());
  const bool handler = std::string(arguments[5]) == "handler";
  ProcessServer(*std::move(server), life, arguments[3], handler).Run();
  return 0;
}

}  // namespace
}  // namespace cluster::internal

int main(int argc, char** argv) {
  CLUSTER_CHECK(argc == 6, "ID LIFE JOURNAL CONFIG MODE");
  return cluster::internal::Main(argv);
}
