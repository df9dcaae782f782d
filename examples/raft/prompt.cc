#include "examples/raft/prompt.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "examples/raft/server_process.h"
#include "programs/printable.h"

namespace raft {
namespace {

constexpr std::size_t kLineBytesMax = 2048;
// A server gives up earlier, and says why.
constexpr absl::Duration kAnswerWait = absl::Seconds(7);
constexpr absl::Duration kStatusWait = absl::Seconds(2);

bool Never() { return false; }

}  // namespace

const char kPromptHelp[] =
    "  put KEY VALUE   store a value, on a majority of the servers\n"
    "  get KEY         the value, as the leader has it\n"
    "  kill ID         kill a server's process; its journal stays\n"
    "  start ID        start it again\n"
    "  pause ID        stop a server as it is: it hears nothing (SIGSTOP)\n"
    "  resume ID       let it go on\n"
    "  status          the servers, their terms and logs\n"
    "  help            this\n"
    "  quit            kill all servers, and end";

Prompt::Prompt(int servers, std::vector<std::string> arguments,
               cluster::Signals* signals)
    : arguments_(std::move(arguments)),
      signals_(signals),
      output_(STDOUT_FILENO, signals->descriptor()) {
  for (int id = 1; id <= servers; ++id) children_[id];
}

absl::Status Prompt::Run() {
  output_.Line("'help' lists the commands.");
  for (const auto& [id, child] : children_) Start(id);
  if (cluster::LineEditor::HasTerminal()) {
    editor_ = std::make_unique<cluster::LineEditor>("raft> ", &output_, [this] {
      return Wait(STDIN_FILENO, absl::InfiniteFuture(), Never);
    });
  }
  cluster::LineReader reader(STDIN_FILENO, kLineBytesMax + 1);
  std::string line;
  while (NextLine(&reader, &line) && Execute(line)) {
  }
  editor_.reset();
  output_.Abandon();
  return output_.status();
}

bool Prompt::NextLine(cluster::LineReader* reader, std::string* line) {
  if (editor_ != nullptr) return editor_->Next(line);
  while (!reader->Next(line)) {
    if (reader->ended() || !Wait(STDIN_FILENO, absl::InfiniteFuture(), Never))
      return false;
    reader->Fill();
  }
  return true;
}

// False: quit.
bool Prompt::Execute(const std::string& line) {
  if (line.size() > kLineBytesMax) {
    output_.Line("!! the line is too long");
    return true;
  }
  const std::vector<std::string> words =
      absl::StrSplit(line, ' ', absl::SkipEmpty());
  if (words.empty()) return true;
  const std::string& verb = words[0];
  int id = 0;
  if (verb == "quit") return false;
  if (verb == "help") {
    output_.Line(kPromptHelp);
  } else if (verb == "status") {
    PrintStatus();
  } else if (verb == "put" || verb == "get") {
    Ask(std::string(absl::StripAsciiWhitespace(line)));
  } else if (words.size() != 2 || !absl::SimpleAtoi(words[1], &id)) {
    output_.Line(absl::StrCat("!! no command '", cluster::Printable(line),
                              "'; 'help' lists them"));
  } else if (children_.count(id) == 0) {
    output_.Line(absl::StrCat("!! there is no server ", id, "; want 1 to ",
                              children_.size()));
  } else if (verb == "kill") {
    Kill(id);
  } else if (verb == "start") {
    Start(id);
  } else if (verb == "pause" || verb == "resume") {
    Pause(id, verb == "pause");
  } else {
    output_.Line(absl::StrCat("!! no command '", cluster::Printable(verb),
                              "'; 'help' lists them"));
  }
  return true;
}

void Prompt::Start(int id) {
  Child& child = children_[id];
  if (child.process != nullptr) {
    output_.Line(absl::StrCat("!! server ", id, " runs"));
    return;
  }
  std::vector<std::string> arguments = arguments_;
  arguments.push_back(absl::StrCat("--server_id=", id));
  absl::StatusOr<std::unique_ptr<cluster::ChildProcess>> process =
      cluster::ChildProcess::Start(arguments);
  if (!process.ok()) {
    output_.Line(absl::StrCat("!! server ", id, ": ",
                              cluster::Printable(process.status().message())));
    return;
  }
  child = Child();
  child.process = *std::move(process);
  output_.Line(
      absl::StrCat("-- server ", id, ": process ", child.process->pid()));
}

void Prompt::Kill(int id) {
  Child& child = children_[id];
  if (child.process == nullptr) {
    output_.Line(absl::StrCat("!! server ", id, " does not run"));
    return;
  }
  kill(child.process->pid(), SIGKILL);
  child = Child();
  output_.Line(absl::StrCat("-- server ", id, " is killed"));
}

void Prompt::Pause(int id, bool pause) {
  Child& child = children_[id];
  if (child.process == nullptr || child.paused == pause) {
    output_.Line(absl::StrCat("!! server ", id,
                              child.process == nullptr ? " does not run"
                              : pause                  ? " is paused"
                                                       : " is not paused"));
    return;
  }
  kill(child.process->pid(), pause ? SIGSTOP : SIGCONT);
  child.paused = pause;
  output_.Line(
      absl::StrCat("-- server ", id, pause ? " is paused" : " goes on"));
}

// The servers take turns, so that one sees that any of them will do.
void Prompt::Ask(const std::string& command) {
  if (const auto parsed = ParseCommand(command); !parsed.ok()) {
    output_.Line(absl::StrCat("!! ", parsed.status().message()));
    return;
  }
  auto asked = children_.upper_bound(next_asked_);
  for (std::size_t tries = 0; tries < children_.size(); ++tries, ++asked) {
    if (asked == children_.end()) asked = children_.begin();
    if (asked->second.answers()) break;
  }
  if (asked == children_.end() || !asked->second.answers()) {
    output_.Line("!! no server runs");
    return;
  }
  next_asked_ = asked->first;
  answered_ = false;
  asked->second.process->Say(absl::StrCat("do ", ++asked_, " ", command));
  const bool goes_on =
      Wait(-1, absl::Now() + kAnswerWait, [this] { return answered_; });
  if (goes_on && !answered_)
    output_.Line("!! no answer; the command may have run");
}

void Prompt::PrintStatus() {
  for (auto& [id, child] : children_) {
    child.status = child.process == nullptr ? "does not run"
                   : child.paused           ? "is paused"
                                            : "";
    if (child.status.empty()) child.process->Say("status");
  }
  const auto all = [this] {
    return std::all_of(
        children_.begin(), children_.end(),
        [](const auto& entry) { return !entry.second.status.empty(); });
  };
  Wait(-1, absl::Now() + kStatusWait, all);
  for (const auto& [id, child] : children_) {
    output_.Line(
        absl::StrCat("   server ", id, ": ",
                     child.status.empty() ? "does not answer" : child.status));
  }
}

bool Prompt::Wait(int input, absl::Time deadline,
                  const std::function<bool()>& done) {
  while (!done()) {
    std::vector<pollfd> polled = {
        {input, POLLIN, 0},
        {signals_->descriptor(), POLLIN, 0},
        {output_.broken(), POLLIN, 0},
        {editor_ != nullptr ? editor_->signals() : -1, POLLIN, 0}};
    const std::size_t first_child = polled.size();
    for (const auto& [id, child] : children_) {
      polled.push_back(
          {child.process == nullptr ? -1 : child.process->descriptor(), POLLIN,
           0});
    }
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return true;
    const int timeout =
        left == absl::InfiniteDuration()
            ? -1
            : static_cast<int>(absl::ToInt64Milliseconds(left)) + 1;
    if (poll(polled.data(), polled.size(), timeout) < 0) continue;  // EINTR
    if (polled[1].revents != 0 || polled[2].revents != 0) return false;
    if (polled[3].revents != 0) editor_->TakeSignals();
    std::size_t i = first_child;
    for (auto& [id, child] : children_) {
      if (polled[i++].revents != 0) Listen(id, &child);
    }
    if (polled[0].revents != 0) return true;
  }
  return true;
}

void Prompt::Listen(int id, Child* child) {
  cluster::LineReader& lines = child->process->lines();
  lines.Fill();
  std::string line;
  while (lines.Next(&line)) Hear(id, child, line);
  if (!lines.ended()) return;
  const std::string end = child->process->WaitForEnd(absl::Seconds(1));
  output_.Line(absl::StrCat("!! server ", id, " has ended",
                            end.empty() ? "" : ", ", end));
  *child = Child();
  child->status = "does not run";
}

void Prompt::Hear(int id, Child* child, const std::string& line) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(line, absl::MaxSplits(' ', 1));
  const auto& [word, rest] = parts;
  if (word == "address") {
    child->address = rest;
    Introduce(id, *child);
  } else if (word == "role") {
    HearRole(id, rest);
  } else if (word == "status") {
    child->status = rest;
  } else if (word == "answer") {
    const std::pair<std::string, std::string> answer =
        absl::StrSplit(rest, absl::MaxSplits(' ', 1));
    int number = 0;
    if (!absl::SimpleAtoi(answer.first, &number) || number != asked_) return;
    answered_ = true;
    output_.Line(absl::StrCat("   ", cluster::Printable(answer.second),
                              "   (by server ", id, ")"));
  } else {
    output_.Line(
        absl::StrCat("!! server ", id, ": ", cluster::Printable(rest)));
  }
}

void Prompt::HearRole(int id, const std::string& role) {
  const std::vector<std::string> words = absl::StrSplit(role, ' ');
  if (words.size() != 3) return;
  const std::string& term = words[1];
  if (words[0] == RoleName(Role::kLeader)) {
    output_.Line(absl::StrCat("-- server ", id, " leads term ", term));
  } else if (words[0] == RoleName(Role::kCandidate)) {
    output_.Line(
        absl::StrCat("-- server ", id, " asks for votes in term ", term));
  } else if (words[2] != absl::StrCat(kNobody)) {
    output_.Line(absl::StrCat("-- server ", id, " follows server ", words[2],
                              " in term ", term));
  }
}

// A server's port is another one after each start.
void Prompt::Introduce(int id, const Child& child) {
  for (auto& [other_id, other] : children_) {
    if (other_id == id || other.process == nullptr || other.address.empty())
      continue;
    other.process->Say(absl::StrCat("peer ", id, " ", child.address));
    child.process->Say(absl::StrCat("peer ", other_id, " ", other.address));
  }
}

}  // namespace raft
