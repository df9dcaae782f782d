#include "tests/processes/server_process.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "tests/harness/fresh_address.h"

namespace cluster::internal {
namespace {

constexpr char kProgram[] = "tests/processes/process_server";
// Long enough for a sanitizer on a busy machine.
constexpr int kSilenceMs = 60000;
constexpr absl::Duration kEndWait = absl::Seconds(60);

std::string NewJournalPath() {
  static std::atomic<int> journals{0};
  return absl::StrCat(ScratchFolder(), "/journal-", ++journals);
}

// "event TYPE PEER UNKNOWN_FATE RESENT"
PeerEvent ReadEvent(const std::vector<std::string>& words) {
  PeerEvent event;
  bool read = words.size() == 5 && absl::SimpleAtoi(words[2], &event.peer) &&
              absl::SimpleAtoi(words[3], &event.unknown_fate) &&
              absl::SimpleAtoi(words[4], &event.resent);
  bool known = false;
  for (PeerEvent::Type type :
       {PeerEvent::kUp, PeerEvent::kDown, PeerEvent::kRestarted,
        PeerEvent::kRemoved, PeerEvent::kRejected, PeerEvent::kStranger,
        PeerEvent::kWarning}) {
    if (words[1] != PeerEventTypeName(type)) continue;
    event.type = type;
    known = true;
  }
  EXPECT_TRUE(read && known);
  return event;
}

}  // namespace

ServerProcess::ServerProcess(int id, int life, const std::string& config,
                             Mode mode)
    : id_(id),
      life_(life),
      journal_path_(NewJournalPath()),
      journal_(journal_path_) {
  signal(SIGPIPE, SIG_IGN);  // a write to a dead process must not kill the test
  absl::StatusOr<std::unique_ptr<ChildProcess>> process = ChildProcess::Start(
      {kProgram, absl::StrCat(id), absl::StrCat(life), journal_path_, config,
       mode == Mode::kHandler ? "handler" : "receive"},
      kProgram);
  EXPECT_TRUE(process.ok()) << process.status();
  if (!process.ok()) return;
  process_ = *std::move(process);
  running_ = true;
  Await("ready");
}

std::string ServerProcess::Await(const std::string& word) {
  std::vector<std::string>& said = said_[word];
  if (!Listen([&] { return !said.empty(); })) {
    ADD_FAILURE() << "server " << id_ << " does not say " << word;
    return "";
  }
  std::string rest = said.front();
  said.erase(said.begin());
  return rest;
}

PeerEvent ServerProcess::AwaitEvent(PeerEvent::Type type, int peer) {
  auto found = events_.end();
  const bool came = Listen([&] {
    found = std::find_if(events_.begin(), events_.end(),
                         [&](const PeerEvent& event) {
                           return event.type == type && event.peer == peer;
                         });
    return found != events_.end();
  });
  if (!came) {
    ADD_FAILURE() << "server " << id_ << " does not see peer " << peer << " "
                  << PeerEventTypeName(type);
    return PeerEvent{};
  }
  PeerEvent event = *found;
  const auto end = std::next(found);
  events_.erase(
      std::remove_if(events_.begin(), end,
                     [&](const PeerEvent& past) { return past.peer == peer; }),
      end);
  return event;
}

void ServerProcess::MarkArrivals(std::uint64_t more) {
  Say(absl::StrCat("mark ", journal().arrived + more));
}

void ServerProcess::AwaitArrivals(std::uint64_t more) {
  MarkArrivals(more);
  Await("mark");
}

bool ServerProcess::Listen(const std::function<bool()>& satisfied) {
  while (!satisfied()) {
    // Does not wait in a test that has failed.
    if (!running_ || testing::Test::HasFailure()) return false;
    pollfd polled = {process_->descriptor(), POLLIN, 0};
    if (poll(&polled, 1, kSilenceMs) <= 0) return false;
    LineReader& lines = process_->lines();
    lines.Fill();
    std::string line;
    while (lines.Next(&line)) Take(line);
    if (!lines.ended()) continue;
    running_ = false;
    ADD_FAILURE() << "server " << id_ << " ended: " << WaitForEnd();
  }
  return true;
}

void ServerProcess::Take(const std::string& line) {
  const std::vector<std::string> words =
      absl::StrSplit(line, absl::MaxSplits(' ', 1));
  const std::string rest = words.size() > 1 ? words[1] : "";
  if (words[0] == "problem") {
    ADD_FAILURE() << "server " << id_ << ": " << rest;
  } else if (words[0] == "event") {
    events_.push_back(ReadEvent(absl::StrSplit(line, ' ')));
  } else {
    said_[words[0]].push_back(rest);
  }
}

void ServerProcess::Signal(int signal) {
  ASSERT_TRUE(running_) << "server " << id_;
  EXPECT_EQ(kill(pid(), signal), 0);
}

void ServerProcess::Kill() {
  Signal(SIGKILL);
  EXPECT_EQ(WaitForEnd(), "killed by signal 9");
}

std::string ServerProcess::WaitForEnd() {
  running_ = false;
  return process_->WaitForEnd(kEndWait);
}

ProcessMemory ServerProcess::Memory() const {
  ProcessMemory memory;
  std::ifstream status(absl::StrCat("/proc/", pid(), "/status"));
  std::string key;
  while (status >> key) {
    std::size_t kib = 0;
    if (key == "VmRSS:" && status >> kib) memory.resident_bytes = kib << 10;
    if (key == "VmHWM:" && status >> kib) memory.peak_bytes = kib << 10;
  }
  EXPECT_GT(memory.resident_bytes, 0u) << "server " << id_;
  return memory;
}

std::size_t ServerProcess::OpenFiles() const {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           absl::StrCat("/proc/", pid(), "/fd"))) {
    (void)entry;
    ++files;
  }
  return files;
}

}  // namespace cluster::internal
