// Prompt: starts the servers' processes and lets a user try them.
//
// It gives each server the addresses of the others, prints what happens to them,
// and executes commands that are typed. kPromptHelp lists these. It forks, so its
// thread must be the only one of the process. The destructor kills all servers.
//
//   Prompt prompt(3, arguments, &signals);
//   absl::Status status = prompt.Run();

#ifndef EXAMPLES_RAFT_PROMPT_H_
#define EXAMPLES_RAFT_PROMPT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "programs/child_process.h"
#include "programs/line_editor.h"
#include "programs/line_reader.h"
#include "programs/output.h"
#include "programs/signals.h"

namespace raft {

extern const char kPromptHelp[];

class Prompt {
 public:
  // Each server's process gets `arguments` and --server_id.
  Prompt(int servers, std::vector<std::string> arguments,
         cluster::Signals* signals);
  Prompt(const Prompt&) = delete;
  Prompt& operator=(const Prompt&) = delete;

  // Until quit, the end of the input or a signal.
  absl::Status Run();

 private:
  struct Child {
    std::unique_ptr<cluster::ChildProcess> process;  // null: not running
    std::string address;
    bool paused = false;
    std::string status;  // the answer to `status`; "" while it is awaited

    bool answers() const { return process != nullptr && !paused; }
  };

  void Start(int id);
  void Kill(int id);
  void Pause(int id, bool pause);
  void Ask(const std::string& command);
  void PrintStatus();
  bool Execute(const std::string& line);
  bool NextLine(cluster::LineReader* reader, std::string* line);
  // Listens to the servers until `input` is readable, the time is over or `done`
  // holds. False: it is to end.
  bool Wait(int input, absl::Time deadline, const std::function<bool()>& done);
  void Listen(int id, Child* child);
  void Hear(int id, Child* child, const std::string& line);
  void HearRole(int id, const std::string& role);
  void Introduce(int id, const Child& child);

  const std::vector<std::string> arguments_;
  cluster::Signals* const signals_;
  cluster::Output output_;
  std::unique_ptr<cluster::LineEditor> editor_;  // while there is a terminal
  std::map<int, Child> children_;
  int next_asked_ = 0;    // the servers take turns
  int asked_ = 0;         // the number of the last command
  bool answered_ = true;  // that one
};

}  // namespace raft

#endif  // EXAMPLES_RAFT_PROMPT_H_
