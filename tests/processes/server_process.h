// ServerProcess: starts and commands one process_server.
//
// It has the process's commands, output, journal and memory. One thread. The
// destructor kills the process; the journal is readable until then. The running
// test fails if the process reports a problem, ends unexpectedly or is silent
// for a minute.
//
//   ServerProcess process(1, 0, config_text, ServerProcess::Mode::kHandler);
//   process.Say("flood 64 2 3");
//   process.Await("flushed");
//   process.Signal(SIGSTOP);

#ifndef TESTS_PROCESSES_SERVER_PROCESS_H_
#define TESTS_PROCESSES_SERVER_PROCESS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cluster/peer_event.h"
#include "programs/child_process.h"
#include "tests/processes/journal.h"

namespace cluster::internal {

struct ProcessMemory {
  std::size_t resident_bytes = 0;
  std::size_t peak_bytes = 0;  // of the resident ones, so far
};

class ServerProcess {
 public:
  enum class Mode { kHandler, kReceive };

  // Waits until the process is ready, or the test has failed.
  ServerProcess(int id, int life, const std::string& config, Mode mode);

  bool running() const { return running_; }
  int id() const { return id_; }
  int life() const { return life_; }
  pid_t pid() const { return process_->pid(); }
  JournalPage& journal() { return *journal_.operator->(); }

  void Say(absl::string_view line) { process_->Say(line); }
  // Waits for a line that begins with `word` and that no call awaited before.
  // Returns the rest of the line.
  std::string Await(const std::string& word);
  std::string Ask(absl::string_view line, const std::string& answer) {
    Say(line);
    return Await(answer);
  }
  // Waits for an event about `peer` after the one that was awaited last.
  PeerEvent AwaitEvent(PeerEvent::Type type, int peer);
  // Asks for a "mark" when the process has taken `more` envelopes.
  void MarkArrivals(std::uint64_t more);
  // The same, and awaits the mark.
  void AwaitArrivals(std::uint64_t more);

  void Signal(int signal);
  // Kills the process with -9, and waits for its end.
  void Kill();
  // Waits for its end and describes it (see ChildProcess).
  std::string WaitForEnd();

  ProcessMemory Memory() const;
  std::size_t OpenFiles() const;

 private:
  // Reads lines until `satisfied` holds. False: the process ended or is silent.
  bool Listen(const std::function<bool()>& satisfied);
  void Take(const std::string& line);

  const int id_;
  const int life_;
  const std::string journal_path_;
  Journal journal_;
  std::unique_ptr<ChildProcess> process_;
  bool running_ = false;
  std::map<std::string, std::vector<std::string>> said_;  // by first word
  std::vector<PeerEvent> events_;                         // not awaited yet
};

}  // namespace cluster::internal

#endif  // TESTS_PROCESSES_SERVER_PROCESS_H_
