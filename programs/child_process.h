// ChildProcess: starts another program, or this one again, with two pipes.
//
// It exchanges lines with the child; the destructor kills the child. The child
// has only the thread that forked. One thread at a time.
//
// kUnavailable gives the system's reason. A program that cannot run ends with
// exit code 127. Ignore SIGPIPE, so that a write to a dead child has no effect.
// Its output ends with it.
//
//   absl::StatusOr<std::unique_ptr<ChildProcess>> child =
//       ChildProcess::Start({"demo", "--server_id=2"});
//   (*child)->Say("report");

#ifndef PROGRAMS_CHILD_PROCESS_H_
#define PROGRAMS_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "programs/line_reader.h"

namespace cluster {

class ChildProcess {
 public:
  // `arguments` as main gets them, the program's name first; `file` is the
  // program, by default this one.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(
      const std::vector<std::string>& arguments,
      const std::string& file = "/proc/self/exe");

  ~ChildProcess();  // kills
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  LineReader& lines() { return lines_; }      // what it says
  int descriptor() const { return output_; }  // to poll for that

  void Say(absl::string_view line);
  void EndInput();

  // Waits for its end, and kills it after `timeout`. Returns how it ended: ""
  // for exit code 0, else "killed by signal 9" and the like.
  std::string WaitForEnd(absl::Duration timeout);

 private:
  ChildProcess(pid_t pid, int input, int output);

  pid_t pid_;  // 0 once it is reaped
  int input_;  // -1 once it is closed
  const int output_;
  LineReader lines_;
  std::string end_;
};

}  // namespace cluster

#endif  // PROGRAMS_CHILD_PROCESS_H_
