#include "programs/demo/demo_run.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "cluster/transport/address.h"
#include "programs/printable.h"

namespace cluster {
namespace demo {
namespace {

// How long the servers have after an error to report their counts.
constexpr absl::Duration kLastWords = absl::Seconds(2);
constexpr absl::Duration kEndWait = absl::Seconds(10);

absl::Status ServerError(int id, absl::string_view text) {
  return absl::UnavailableError(
      absl::StrCat("server ", id, ": ", Printable(text)));
}

// The address to dial on this machine for an address to listen on.
std::string DialAddress(const std::string& bound) {
  absl::StatusOr<Address> address = ParseAddress(bound);
  if (!address.ok() || !address->is_every_interface()) return bound;
  address->host = address->is_v6() ? "::1" : "127.0.0.1";
  return ToString(*address);
}

}  // namespace

DemoRun::DemoRun(std::vector<int> ids, std::vector<std::string> arguments,
                 std::uint64_t rounds, absl::Duration standstill)
    : ids_(std::move(ids)),
      arguments_(std::move(arguments)),
      standstill_(standstill),
      terminal_(isatty(STDERR_FILENO) == 1),
      results_(Scenarios().size()) {
  for (const Scenario& scenario : Scenarios()) {
    for (int id : ids_) {
      results_[scenario.index].expected +=
          rounds * ArrivalsPerRound(scenario, id, ids_);
    }
  }
}

absl::Status DemoRun::Run(int interrupt) {
  interrupt_ = interrupt;
  absl::Status status = StartAll();
  if (status.ok()) status = Introduce();
  for (const Scenario& scenario : Scenarios()) {
    if (status.ok()) status = RunScenario(scenario);
  }
  running_ = nullptr;
  if (!status.ok()) {
    // Keeps the first error, from which others follow.
    Collect(kLastWords).IgnoreError();
    return status;
  }
  status = Collect(standstill_);
  if (status.ok()) status = EndAll();
  return status;
}

absl::Status DemoRun::StartAll() {
  for (int id : ids_) {
    std::vector<std::string> arguments = arguments_;
    arguments.push_back(absl::StrCat("--server_id=", id));
    absl::StatusOr<std::unique_ptr<ChildProcess>> process =
        ChildProcess::Start(arguments);
    if (!process.ok()) return process.status();
    children_.emplace_back();
    children_.back().id = id;
    children_.back().process = *std::move(process);
  }
  return WaitUntil("listens", standstill_,
                   [](const Child& child) { return !child.address.empty(); });
}

// Sends every server the addresses of the others, and waits until all are up.
absl::Status DemoRun::Introduce() {
  for (Child& child : children_) {
    std::printf("server %d: process %d at %s\n", child.id,
                static_cast<int>(child.process->pid()), child.address.c_str());
    for (const Child& other : children_) {
      if (other.id == child.id) continue;
      child.process->Say(
          absl::StrCat("peer ", other.id, " ", DialAddress(other.address)));
    }
  }
  std::fflush(stdout);
  return WaitUntil("is connected", standstill_,
                   [](const Child& child) { return child.connected; });
}

absl::Status DemoRun::RunScenario(const Scenario& scenario) {
  const std::size_t index = scenario.index;
  running_ = &scenario;
  results_[index].run = true;
  const absl::Time begin = absl::Now();
  for (Child& child : children_) {
    child.progress = 0;
    child.process->Say(absl::StrCat("run ", index));
  }
  absl::Status status =
      WaitUntil("is done", standstill_, [&](const Child& child) {
        const bool awaits = ArrivalsPerRound(scenario, child.id, ids_) > 0;
        return child.sent.count(index) > 0 &&
               (!awaits || child.received.count(index) > 0);
      });
  results_[index].took = absl::Now() - begin;
  if (terminal_) std::fputs("\r\x1b[K", stderr);
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(scenario.name, ": ", status.message()));
}

absl::Status DemoRun::Collect(absl::Duration timeout) {
  for (Child& child : children_) child.process->Say("report");
  return WaitUntil("reports", timeout,
                   [](const Child& child) { return child.reported; });
}

absl::Status DemoRun::EndAll() {
  for (Child& child : children_) child.process->EndInput();
  for (Child& child : children_) {
    const std::string end = child.process->WaitForEnd(kEndWait);
    if (!end.empty()) return ServerError(child.id, end);
  }
  return absl::OkStatus();
}

absl::Status DemoRun::WaitUntil(const char* what, absl::Duration timeout,
                                const std::function<bool(const Child&)>& done) {
  absl::Time deadline = absl::Now() + timeout;
  while (true) {
    std::vector<int> behind;
    for (const Child& child : children_) {
      if (!done(child)) behind.push_back(child.id);
    }
    if (behind.empty()) return absl::OkStatus();
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(absl::StrCat(
          "nothing moves for ", absl::FormatDuration(timeout),
          "; none of these ", what, ": ", absl::StrJoin(behind, ", ")));
    }
    bool heard = false;
    if (absl::Status status = Poll(left, &heard); !status.ok()) return status;
    if (heard) deadline = absl::Now() + timeout;
    ShowProgress();
  }
}

absl::Status DemoRun::Poll(absl::Duration timeout, bool* heard) {
  std::vector<pollfd> polled = {{interrupt_, POLLIN, 0}};
  for (const Child& child : children_) {
    // The end of a child is an error that was reported before.
    const bool ended = child.process->lines().ended();
    polled.push_back({ended ? -1 : child.process->descriptor(), POLLIN, 0});
  }
  const int milliseconds =
      static_cast<int>(absl::ToInt64Milliseconds(timeout)) + 1;
  if (poll(polled.data(), polled.size(), milliseconds) <= 0)
    return absl::OkStatus();
  if (polled[0].revents != 0) {
    interrupt_ = -1;
    return absl::CancelledError("interrupted");
  }
  for (std::size_t i = 0; i < children_.size(); ++i) {
    if (polled[i + 1].revents == 0) continue;
    *heard = true;
    if (absl::Status status = Listen(&children_[i]); !status.ok())
      return status;
  }
  return absl::OkStatus();
}

absl::Status DemoRun::Listen(Child* child) {
  LineReader& lines = child->process->lines();
  lines.Fill();
  std::string line;
  while (lines.Next(&line)) {
    if (absl::Status status = Take(line, child); !status.ok()) return status;
  }
  if (!lines.ended()) return absl::OkStatus();
  const std::string end = child->process->WaitForEnd(kEndWait);
  return ServerError(
      child->id, absl::StrCat("ended too early", end.empty() ? "" : ", ", end));
}

absl::Status DemoRun::Take(const std::string& line, Child* child) {
  const std::vector<std::string> words =
      absl::StrSplit(line, absl::MaxSplits(' ', 1));
  const std::string& word = words[0];
  const std::string rest = words.size() > 1 ? words[1] : "";
  std::size_t number = 0;
  if (word == "error") return ServerError(child->id, rest);
  if (word == "address") {
    child->address = rest;
  } else if (word == "connected") {
    child->connected = true;
  } else if (word == "reported") {
    child->reported = true;
  } else if (word == "tally") {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(rest, absl::MaxSplits(' ', 1));
    Tally tally;
    if (absl::SimpleAtoi(parts.first, &number) && number < results_.size() &&
        FromLine(parts.second, &tally))
      results_[number].tally.Add(tally);
  } else if (absl::SimpleAtoi(rest, &number)) {
    if (word == "progress") child->progress = number;
    if (word == "sent") child->sent.insert(number);
    if (word == "received") child->received.insert(number);
  }
  return absl::OkStatus();
}

void DemoRun::ShowProgress() {
  if (!terminal_ || running_ == nullptr) return;
  std::uint64_t arrived = 0;
  for (const Child& child : children_) arrived += child.progress;
  std::fprintf(stderr, "\r\x1b[K%s %d%%", running_->name,
               static_cast<int>(100 * arrived /
                                std::max<std::uint64_t>(
                                    results_[running_->index].expected, 1)));
}

}  // namespace demo
}  // namespace cluster
